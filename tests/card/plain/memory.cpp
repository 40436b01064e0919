// A plain Verilator test bench of the kernel on a memory, written apart from the card's own: one run, its cycles.
// Arguments: words in, words out. The memory is the one that KernelSimulator's docstring describes.
#include <cstdio>
#include <cstdlib>
#include <queue>

#include "Vkrnl_rtl.h"
#include "Vkrnl_rtl___024root.h"

static Vkrnl_rtl top;
static unsigned long now = 0, started = 0, ended = 0;
struct Read { unsigned long due; int beats; };
static std::queue<Read> reads;
static std::queue<int> writes;
static std::queue<unsigned long> answers;

static void tick() {
    top.m_axi_gmem_ARREADY = reads.size() < 16;
    top.m_axi_gmem_AWREADY = writes.size() < 16 && answers.size() < 16;
    top.m_axi_gmem_WREADY = !writes.empty();
    top.m_axi_gmem_RVALID = !reads.empty() && now >= reads.front().due;
    top.m_axi_gmem_RLAST = !reads.empty() && reads.front().beats == 1;
    top.m_axi_gmem_BVALID = !answers.empty() && now >= answers.front();
    top.ap_clk = 0;
    top.eval();
    if (top.rootp->krnl_rtl__DOT__ap_start && !started) started = now;
    if (top.rootp->krnl_rtl__DOT__ap_done && !ended) ended = now;
    const bool read = top.m_axi_gmem_RVALID && top.m_axi_gmem_RREADY, asked = top.m_axi_gmem_ARVALID && top.m_axi_gmem_ARREADY;
    const bool written = top.m_axi_gmem_WVALID && top.m_axi_gmem_WREADY, told = top.m_axi_gmem_AWVALID && top.m_axi_gmem_AWREADY;
    const bool heard = top.m_axi_gmem_BVALID && top.m_axi_gmem_BREADY;
    const int asked_beats = top.m_axi_gmem_ARLEN + 1, told_beats = top.m_axi_gmem_AWLEN + 1;
    top.ap_clk = 1;
    top.eval();
    if (read && --reads.front().beats == 0) reads.pop();
    if (asked) reads.push({now + 48, asked_beats});
    if (heard) answers.pop();
    if (written && --writes.front() == 0) {
        writes.pop();
        answers.push(now + 24);
    }
    if (told) writes.push(told_beats);
    ++now;
}

static void write(int address, unsigned value) {
    top.s_axi_control_AWADDR = address;
    top.s_axi_control_WDATA = value;
    top.s_axi_control_WSTRB = 15;
    top.s_axi_control_AWVALID = top.s_axi_control_WVALID = top.s_axi_control_BREADY = 1;
    tick();
    top.s_axi_control_AWVALID = top.s_axi_control_WVALID = 0;
    for (int i = 0; i < 4; ++i) tick();
}

int main(int, char** arguments) {
    for (int i = 0; i < 8; ++i) tick();
    top.ap_rst_n = 1;
    tick();
    write(0x10, 0x1000);
    write(0x1c, 0x100000);
    write(0x28, std::atoi(arguments[1]));
    write(0x30, std::atoi(arguments[2]));
    write(0x00, 1);
    while (!ended && now < 10000000) tick();
    std::printf("%lu\n", ended - started);
}
