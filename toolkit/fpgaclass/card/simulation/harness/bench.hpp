// What every bench around a kernel's RTL shares: the clock's bookkeeping, memory, dice, and an AXI4-Lite master.
//
// Compiled with -DAP_START=... and -DAP_DONE=..., the nets of the top module that bound a run. One clock is two
// evaluations: the low phase settles what depends on the inputs, so that handshakes are sampled before the
// edge; the high phase is the edge. Nothing here knows Python; calls on one kernel must not overlap.
#pragma once
#include <cstdint>
#include <cstring>
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
constexpr uint64_t LITE_PATIENCE = 1000;  // clocks that a register access may take

struct Status {
    uint64_t now, run_cycles, runs, read_bursts, read_beats, write_bursts, write_beats, fault_address;
    uint32_t running, fault, fault_is_write, interrupt;
};

struct Region {
    uint64_t size;
    uint8_t* data;
};

// Addresses that answer, and with which bytes of the host.
struct Memory {
    std::map<uint64_t, Region> regions;

    // How many bytes from an address on lie in one region; sets where they are.
    uint64_t reach(uint64_t address, uint8_t*& data) {
        auto after = regions.upper_bound(address);
        if (after == regions.begin()) return 0;
        const auto& [base, region] = *--after;
        if (address - base >= region.size) return 0;
        data = region.data + (address - base);
        return region.size - (address - base);
    }

    uint8_t* find(uint64_t address, uint64_t size) {
        uint8_t* data = nullptr;
        return reach(address, data) >= size ? data : nullptr;
    }
};

// Refuses a share of the clocks, from a seed.
struct Dice {
    uint32_t stall = 0;
    uint64_t random = 1;

    bool ready() {
        if (!stall) return true;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        return (random >> 20) % 1000 >= stall;
    }
};

// A template, so that ports which a kernel may lack can be asked for.
template <class Top>
struct Bench {
    std::unique_ptr<VerilatedContext> context = std::make_unique<VerilatedContext>();
    std::unique_ptr<Top> top;
    Memory memory;
    Dice dice;
    std::string message;
    Status status{};
    uint64_t begun = 0, last_transfer = 0;
    uint32_t read_latency = 48, write_latency = 24;
    bool stop_on_fault = true;

    Bench() : top(std::make_unique<Top>(context.get(), "kernel")) {}

    virtual ~Bench() {
        enter();
        top.reset();
        Verilated::threadContextp(Verilated::defaultContextp());
    }

    virtual void offer() = 0;     // set the kernel's inputs for a clock
    virtual void transfer() = 0;  // take note of what moves in it
    virtual void forget() = 0;    // what is under way on the bus
    virtual void remapped() {}  // pointers into memory may be stale

    // Verilator's runtime looks up the context by thread, and a kernel may be made, run and freed by three
    // different ones: each call says whose turn it is, so that none finds a context that is gone.
    void enter() { Verilated::threadContextp(context.get()); }

    void tick() {
        offer();
        top->ap_clk = 0;
        top->eval();
        count_run();
        sample_lite();
        if (top->ap_rst_n) transfer();
        top->ap_clk = 1;
        top->eval();
        ++status.now;
    }

    void reset() {
        forget();
        Top& d = *top;
        d.s_axi_control_AWVALID = d.s_axi_control_WVALID = d.s_axi_control_BREADY = 0;
        d.s_axi_control_ARVALID = d.s_axi_control_RREADY = 0;
        d.ap_rst_n = 0;
        for (int i = 0; i < 16; ++i) tick();
        forget();
        d.ap_rst_n = 1;
        for (int i = 0; i < 4; ++i) tick();
        status.running = status.fault = 0;
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

    bool interrupt() {
        if constexpr (requires { top->__SYM__interrupt; }) return top->__SYM__interrupt;
        return false;
    }

private:
    // Both between the two evaluations of a clock.
    void count_run() {
        if (top->rootp->AP_START && !status.running) {
            status.running = 1;
            begun = last_transfer = status.now;
        }
        if (top->rootp->AP_DONE && status.running) {
            status.running = 0;
            status.run_cycles = status.now - begun;
            ++status.runs;
        }
    }

    void sample_lite() {
        Top& d = *top;
        lite_aw = d.s_axi_control_AWVALID && d.s_axi_control_AWREADY;
        lite_w = d.s_axi_control_WVALID && d.s_axi_control_WREADY;
        lite_b = d.s_axi_control_BVALID && d.s_axi_control_BREADY;
        lite_ar = d.s_axi_control_ARVALID && d.s_axi_control_ARREADY;
        lite_r = d.s_axi_control_RVALID && d.s_axi_control_RREADY;
        if (lite_r) lite_value = d.s_axi_control_RDATA;
    }

    bool lite_aw = false, lite_w = false, lite_b = false, lite_ar = false, lite_r = false;
    uint32_t lite_value = 0;
};

}  // namespace
