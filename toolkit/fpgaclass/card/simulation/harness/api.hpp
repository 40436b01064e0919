// The C interface of a bench; included once `Kernel` is known.
#pragma once
#include "bench.hpp"

namespace {

template <class F>
int guarded(Kernel* kernel, F&& act) {
    try {
        kernel->enter();
        return act();
    } catch (const std::exception& error) {
        kernel->broken(error.what());
        return BROKEN;
    }
}

}  // namespace

#define PUBLIC extern "C" __attribute__((visibility("default")))

PUBLIC Kernel* fk_new() {
    try {
        return new Kernel;
    } catch (const std::exception&) {
        return nullptr;
    }
}
PUBLIC void fk_free(Kernel* kernel) { delete kernel; }
PUBLIC int fk_reset(Kernel* kernel) {
    kernel->message.clear();
    return guarded(kernel, [&] { return kernel->reset(), DONE; });
}
PUBLIC void fk_memory(Kernel* kernel, uint32_t read_latency, uint32_t write_latency, uint32_t stall_permille,
                      uint64_t seed, int stop_on_fault) {
    kernel->read_latency = read_latency;
    kernel->write_latency = write_latency;
    kernel->dice = Dice{stall_permille, seed * 2 + 1};
    kernel->stop_on_fault = stop_on_fault;
}
PUBLIC void fk_unmap_all(Kernel* kernel) {
    kernel->memory.regions.clear();
    kernel->remapped();
}
PUBLIC void fk_map(Kernel* kernel, uint64_t address, uint64_t size, void* data) {
    kernel->memory.regions[address] = {size, static_cast<uint8_t*>(data)};
}
PUBLIC int fk_write(Kernel* kernel, uint32_t offset, uint32_t value) {
    return guarded(kernel, [&] { return kernel->write(offset, value), DONE; });
}
PUBLIC int fk_read(Kernel* kernel, uint32_t offset, uint32_t* value) {
    return guarded(kernel, [&] { return *value = kernel->read(offset), DONE; });
}
PUBLIC int fk_run(Kernel* kernel, uint64_t budget, uint64_t watchdog) {
    return guarded(kernel, [&] { return kernel->run(budget, watchdog); });
}
PUBLIC int fk_idle(Kernel* kernel, uint64_t cycles) {
    return guarded(kernel, [&] {
        for (uint64_t i = 0; i < cycles; ++i) kernel->tick();
        return DONE;
    });
}
PUBLIC void fk_status(Kernel* kernel, Status* status) {
    *status = kernel->status;
    status->interrupt = kernel->interrupt();
}
PUBLIC const char* fk_message(Kernel* kernel) { return kernel->message.c_str(); }
