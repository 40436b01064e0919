// A plain Verilator test bench of the stream kernel, written apart from the board's own: a word a clock in, every
// result taken at once, one packet; prints the clocks from the first word offered to the last result.
// Argument: bytes of the packet, whole words of 4.
#include <cstdio>
#include <cstdlib>

#include "Vkrnl_stream.h"

int main(int, char** arguments) {
    static Vkrnl_stream top;
    long words = std::atoi(arguments[1]) / 4, now = 0, first = -1;
    top.out_r_TREADY = 1;
    for (int i = 0; i < 10; ++i) {
        top.ap_rst_n = i > 7;
        top.ap_clk = 0;
        top.eval();
        top.ap_clk = 1;
        top.eval();
    }
    for (; now < 10000000; ++now) {
        top.in_r_TVALID = words > 0;
        top.in_r_TDATA = words;
        top.in_r_TKEEP = 15;
        top.in_r_TLAST = words == 1;
        top.ap_clk = 0;
        top.eval();
        if (top.in_r_TVALID && first < 0) first = now;
        if (top.out_r_TVALID && top.out_r_TLAST) break;
        words -= top.in_r_TVALID && top.in_r_TREADY;
        top.ap_clk = 1;
        top.eval();
    }
    std::printf("%ld\n", now - first);
}
