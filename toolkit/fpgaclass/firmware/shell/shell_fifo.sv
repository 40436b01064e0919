// First-in first-out of DEPTH + 1 entries: a block RAM with a synchronous read, then one output register.
//
// There is no "full": whoever pushes holds a credit for the place (see shell_issue).
`default_nettype none

module shell_fifo #(
    parameter integer WIDTH = 576,
    parameter integer DEPTH = 256  // a power of two
) (
    input  wire             clk,
    input  wire             clear,
    input  wire             push,
    input  wire [WIDTH-1:0] push_data,
    output reg              valid,
    output reg  [WIDTH-1:0] data,
    input  wire             pop
);
    localparam integer A = $clog2(DEPTH);

    reg [WIDTH-1:0] memory [0:DEPTH-1];
    reg [A-1:0]     head, tail;
    reg [A:0]       count;
    wire            load = count != 0 && (!valid || pop);

    always @(posedge clk) begin
        if (push) memory[tail] <= push_data;
        if (load) data <= memory[head];
        if (clear) begin
            head  <= 0;
            tail  <= 0;
            count <= 0;
            valid <= 1'b0;
        end else begin
            if (push) tail <= tail + 1'b1;
            if (load) head <= head + 1'b1;
            if (push && !load) count <= count + 1'b1;
            if (load && !push) count <= count - 1'b1;
            if (load) valid <= 1'b1;
            else if (pop) valid <= 1'b0;
        end
    end
endmodule

`default_nettype wire
