// A kernel's RTL with a bus around it: an AXI4-Lite master, an AXI4 memory slave and a clock, as a C library.
//
// Compiled with -DAP_START=... and -DAP_DONE=..., the nets of the top module that bound a run. One clock is two
// evaluations: the low phase settles what depends on the inputs, so that handshakes are sampled before the
// edge; the high phase is the edge. Nothing here knows Python; calls on one kernel must not overlap.
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include "Vkernel.h"
#include "Vkernel___024root.h"
#include "verilated.h"

// The runtime would end the process on $fatal, $stop or a loop without end; a kernel's fault must not.
void vl_fatal(const char* file, int line, const char*, const char* message) {
    throw std::runtime_error(std::string(message) + " (" + file + ":" + std::to_string(line) + ")");
}
void vl_stop(const char* file, int line, const char*) { vl_fatal(file, line, "", "the RTL called $stop or $fatal"); }
void vl_finish(const char* file, int line, const char*) { vl_fatal(file, line, "", "the RTL called $finish"); }

namespace {

enum Outcome : int { DONE = 0, BUDGET = 1, HUNG = 2, BUS_FAULT = 3, BROKEN = 4 };
constexpr unsigned DECERR = 3;
constexpr size_t OPEN_BURSTS = 16;
constexpr uint64_t LITE_PATIENCE = 1000;  // clocks that a register access may take

struct Status {
    uint64_t now, run_cycles, runs, read_bursts, read_beats, write_bursts, write_beats, fault_address;
    uint32_t running, fault, fault_is_write, interrupt;
};

struct Region {
    uint64_t size;
    uint8_t* data;
};

struct Burst {
    uint64_t address, due;
    unsigned beats, id;
    uint8_t* data;  // null: nothing is mapped there
};

struct Answer {
    uint64_t due;
    unsigned id;
    bool fault;
};

// A template, so that ports which a kernel may lack (IDs, responses) can be asked for.
template <class Top>
struct Bench {
    std::unique_ptr<VerilatedContext> context = std::make_unique<VerilatedContext>();
    std::unique_ptr<Top> top;
    std::map<uint64_t, Region> regions;
    std::string message;
    Status status{};
    uint64_t begun = 0, last_transfer = 0;
    uint32_t read_latency = 48, write_latency = 24, stall = 0;
    uint64_t random = 1;
    bool stop_on_fault = true;

    std::deque<Burst> reads, writes;
    std::deque<Answer> answers;
    bool r_shown = false, b_shown = false;
    struct Held {
        bool valid = false;
        uint64_t address = 0;
        unsigned length = 0;
    } ar_held, aw_held;
    bool w_held = false;
    uint8_t w_held_data[sizeof(Top::m_axi_gmem_WDATA)];
    bool lite_aw = false, lite_w = false, lite_b = false, lite_ar = false, lite_r = false;
    uint32_t lite_value = 0;

    static constexpr uint64_t BEAT = sizeof(Top::m_axi_gmem_RDATA);

    Bench() : top(std::make_unique<Top>(context.get(), "kernel")) { reset(); }

    ~Bench() {
        enter();
        top.reset();
        Verilated::threadContextp(Verilated::defaultContextp());
    }

    // Verilator's runtime looks up the context by thread, and a kernel may be made, run and freed by three
    // different ones: each call says whose turn it is, so that none finds a context that is gone.
    void enter() { Verilated::threadContextp(context.get()); }

    void reset() {
        reads.clear();
        writes.clear();
        answers.clear();
        r_shown = b_shown = w_held = false;
        ar_held = aw_held = Held{};
        Top& d = *top;
        d.s_axi_control_AWVALID = d.s_axi_control_WVALID = d.s_axi_control_BREADY = 0;
        d.s_axi_control_ARVALID = d.s_axi_control_RREADY = 0;
        d.ap_rst_n = 0;
        for (int i = 0; i < 16; ++i) tick();
        reads.clear();
        writes.clear();
        answers.clear();
        d.ap_rst_n = 1;
        for (int i = 0; i < 4; ++i) tick();
        status.running = status.fault = 0;
    }

    bool ready() {  // of a channel of the memory, in this clock
        if (!stall) return true;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        return (random >> 20) % 1000 >= stall;
    }

    uint8_t* find(uint64_t address, uint64_t size) {
        auto after = regions.upper_bound(address);
        if (after == regions.begin()) return nullptr;
        const auto& [base, region] = *--after;
        if (address + size > base + region.size || address + size < address) return nullptr;
        return region.data + (address - base);
    }

    void fault(uint64_t address, bool is_write) {
        if (status.fault) return;
        status.fault = 1;
        status.fault_address = address;
        status.fault_is_write = is_write;
    }

    void broken(const std::string& what) {
        if (message.empty()) message = what;
    }

    // Checks that hold for every AXI4 master: bursts of whole beats inside 4 KB, and a VALID that waits.
    void check_address(const char* channel, Held& held, bool valid, bool handshake, uint64_t address,
                       unsigned length, unsigned size, unsigned burst) {
        if (held.valid && !(valid && address == held.address && length == held.length))
            broken(std::string(channel) + " changed before it was accepted");
        if (valid && !held.valid) {
            if ((uint64_t(1) << size) != BEAT || burst != 1 || address % BEAT)
                broken(std::string(channel) + " is not an aligned incrementing burst of whole beats");
            if ((address & 4095) + (length + 1) * BEAT > 4096)
                broken(std::string(channel) + " crosses 4 KB");
        }
        held = Held{valid && !handshake, address, length};
    }

    void store(const Burst& burst) {
        Top& d = *top;
        const auto* from = reinterpret_cast<const uint8_t*>(&d.m_axi_gmem_WDATA);
        uint64_t strobe = 0;
        std::memcpy(&strobe, &d.m_axi_gmem_WSTRB, sizeof d.m_axi_gmem_WSTRB);
        if (strobe == ~uint64_t(0) >> (64 - BEAT)) {
            std::memcpy(burst.data, from, BEAT);
            return;
        }
        for (uint64_t i = 0; i < BEAT; ++i)
            if (strobe >> i & 1) burst.data[i] = from[i];
    }

    void tick() {
        Top& d = *top;
        const uint64_t now = status.now;

        d.m_axi_gmem_ARREADY = reads.size() < OPEN_BURSTS && ready();
        d.m_axi_gmem_AWREADY = writes.size() < OPEN_BURSTS && answers.size() < OPEN_BURSTS && ready();
        d.m_axi_gmem_WREADY = !writes.empty() && ready();
        if (!r_shown && !reads.empty() && now >= reads.front().due && ready()) {
            const Burst& burst = reads.front();
            if (burst.data) std::memcpy(&d.m_axi_gmem_RDATA, burst.data, BEAT);
            else std::memset(&d.m_axi_gmem_RDATA, 0xDB, BEAT);
            d.m_axi_gmem_RLAST = burst.beats == 1;
            if constexpr (requires { d.m_axi_gmem_RRESP; }) d.m_axi_gmem_RRESP = burst.data ? 0 : DECERR;
            if constexpr (requires { d.m_axi_gmem_RID; }) d.m_axi_gmem_RID = burst.id;
            r_shown = true;
        }
        if (!b_shown && !answers.empty() && now >= answers.front().due && ready()) {
            if constexpr (requires { d.m_axi_gmem_BRESP; }) d.m_axi_gmem_BRESP = answers.front().fault ? DECERR : 0;
            if constexpr (requires { d.m_axi_gmem_BID; }) d.m_axi_gmem_BID = answers.front().id;
            b_shown = true;
        }
        d.m_axi_gmem_RVALID = r_shown;
        d.m_axi_gmem_BVALID = b_shown;

        d.ap_clk = 0;
        d.eval();

        if (d.rootp->AP_START && !status.running) {
            status.running = 1;
            begun = last_transfer = now;
        }
        if (d.rootp->AP_DONE && status.running) {
            status.running = 0;
            status.run_cycles = now - begun;
            ++status.runs;
        }
        lite_aw = d.s_axi_control_AWVALID && d.s_axi_control_AWREADY;
        lite_w = d.s_axi_control_WVALID && d.s_axi_control_WREADY;
        lite_b = d.s_axi_control_BVALID && d.s_axi_control_BREADY;
        lite_ar = d.s_axi_control_ARVALID && d.s_axi_control_ARREADY;
        lite_r = d.s_axi_control_RVALID && d.s_axi_control_RREADY;
        if (lite_r) lite_value = d.s_axi_control_RDATA;
        if (d.ap_rst_n) transfer();

        d.ap_clk = 1;
        d.eval();
        ++status.now;
    }

    void transfer() {
        Top& d = *top;
        const uint64_t now = status.now;

        const bool ar = d.m_axi_gmem_ARVALID && d.m_axi_gmem_ARREADY;
        if (d.m_axi_gmem_ARVALID || ar_held.valid)
            check_address("AR", ar_held, d.m_axi_gmem_ARVALID, ar, d.m_axi_gmem_ARADDR, d.m_axi_gmem_ARLEN,
                          d.m_axi_gmem_ARSIZE, d.m_axi_gmem_ARBURST);
        if (r_shown && d.m_axi_gmem_RREADY) {
            Burst& burst = reads.front();
            if (burst.data) burst.data += BEAT;
            if (--burst.beats == 0) reads.pop_front();
            r_shown = false;
            last_transfer = now;
            ++status.read_beats;
        }
        if (ar) {
            const unsigned beats = d.m_axi_gmem_ARLEN + 1;
            unsigned id = 0;
            if constexpr (requires { d.m_axi_gmem_ARID; }) id = d.m_axi_gmem_ARID;
            uint8_t* data = find(d.m_axi_gmem_ARADDR, beats * BEAT);
            if (!data) fault(d.m_axi_gmem_ARADDR, false);
            reads.push_back({d.m_axi_gmem_ARADDR, now + read_latency, beats, id, data});
            last_transfer = now;
            ++status.read_bursts;
        }

        const bool aw = d.m_axi_gmem_AWVALID && d.m_axi_gmem_AWREADY;
        if (d.m_axi_gmem_AWVALID || aw_held.valid)
            check_address("AW", aw_held, d.m_axi_gmem_AWVALID, aw, d.m_axi_gmem_AWADDR, d.m_axi_gmem_AWLEN,
                          d.m_axi_gmem_AWSIZE, d.m_axi_gmem_AWBURST);
        if (w_held && !(d.m_axi_gmem_WVALID && !std::memcmp(w_held_data, &d.m_axi_gmem_WDATA, sizeof w_held_data)))
            broken("W changed before it was accepted");
        const bool w = d.m_axi_gmem_WVALID && d.m_axi_gmem_WREADY;
        w_held = d.m_axi_gmem_WVALID && !w;
        if (w_held) std::memcpy(w_held_data, &d.m_axi_gmem_WDATA, sizeof w_held_data);
        if (b_shown && d.m_axi_gmem_BREADY) {
            answers.pop_front();
            b_shown = false;
            last_transfer = now;
        }
        if (w) {
            Burst& burst = writes.front();
            if (burst.data) {
                store(burst);
                burst.data += BEAT;
            }
            --burst.beats;
            if (bool(d.m_axi_gmem_WLAST) != (burst.beats == 0)) broken("WLAST is not on the last beat of a burst");
            if (burst.beats == 0) {
                answers.push_back({now + write_latency, burst.id, burst.data == nullptr});
                writes.pop_front();
            }
            last_transfer = now;
            ++status.write_beats;
        }
        if (aw) {
            const unsigned beats = d.m_axi_gmem_AWLEN + 1;
            unsigned id = 0;
            if constexpr (requires { d.m_axi_gmem_AWID; }) id = d.m_axi_gmem_AWID;
            uint8_t* data = find(d.m_axi_gmem_AWADDR, beats * BEAT);
            if (!data) fault(d.m_axi_gmem_AWADDR, true);
            writes.push_back({d.m_axi_gmem_AWADDR, now, beats, id, data});
            last_transfer = now;
            ++status.write_bursts;
        }
    }

    void write(uint32_t offset, uint32_t value) {
        Top& d = *top;
        d.s_axi_control_AWADDR = offset;
        d.s_axi_control_WDATA = value;
        d.s_axi_control_WSTRB = 15;
        d.s_axi_control_AWVALID = d.s_axi_control_WVALID = d.s_axi_control_BREADY = 1;
        for (uint64_t i = 0; i < LITE_PATIENCE; ++i) {
            tick();
            if (lite_aw) d.s_axi_control_AWVALID = 0;
            if (lite_w) d.s_axi_control_WVALID = 0;
            if (lite_b) {
                d.s_axi_control_BREADY = 0;
                return;
            }
        }
        throw std::runtime_error("the control port did not answer a write");
    }

    uint32_t read(uint32_t offset) {
        Top& d = *top;
        d.s_axi_control_ARADDR = offset;
        d.s_axi_control_ARVALID = d.s_axi_control_RREADY = 1;
        for (uint64_t i = 0; i < LITE_PATIENCE; ++i) {
            tick();
            if (lite_ar) d.s_axi_control_ARVALID = 0;
            if (lite_r) {
                d.s_axi_control_RREADY = 0;
                return lite_value;
            }
        }
        throw std::runtime_error("the control port did not answer a read");
    }

    Outcome run(uint64_t budget, uint64_t watchdog) {
        for (uint64_t i = 0; i < budget && status.running; ++i) {
            tick();
            if (!message.empty()) return BROKEN;
            if (status.fault && stop_on_fault) return BUS_FAULT;
            if (status.running && status.now - last_transfer > watchdog) return HUNG;
        }
        if (!message.empty()) return BROKEN;
        if (status.fault && stop_on_fault) return BUS_FAULT;
        return status.running ? BUDGET : DONE;
    }

    bool interrupt() {
        if constexpr (requires { top->__SYM__interrupt; }) return top->__SYM__interrupt;
        return false;
    }
};

using Kernel = Bench<Vkernel>;

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
    kernel->stall = stall_permille;
    kernel->random = seed * 2 + 1;
    kernel->stop_on_fault = stop_on_fault;
}
PUBLIC void fk_unmap_all(Kernel* kernel) { kernel->regions.clear(); }
PUBLIC void fk_map(Kernel* kernel, uint64_t address, uint64_t size, void* data) {
    kernel->regions[address] = {size, static_cast<uint8_t*>(data)};
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
