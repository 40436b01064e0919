// AXI4 read master: asks for a run of 64-byte beats in bursts of up to 64 that stay inside a 4 KB page.
//
// The beats themselves go from the R channel straight to shell_issue; this module only counts them, so that
// `idle` means that every beat that was asked for has come. The read response is not looked at: on a bus
// error the run ends as usual, with data that mean nothing.
`default_nettype none

module shell_reader #(
    parameter integer COUNT_BITS  = 36,
    parameter integer OUTSTANDING = 8  // bursts asked for and not yet complete
) (
    input  wire                  clk,
    input  wire                  rst_n,
    input  wire                  start,
    input  wire [57:0]           first_beat,  // byte address / 64
    input  wire [COUNT_BITS-1:0] beats,
    input  wire                  stop,        // ask for no more
    output wire                  idle,

    output reg                   arvalid,
    input  wire                  arready,
    output reg  [57:0]           arbeat,
    output reg  [7:0]            arlen,
    input  wire                  rvalid,
    input  wire                  rready,
    input  wire                  rlast
);
    localparam integer OPEN_BITS = $clog2(OUTSTANDING + 1);

    reg [57:0]           next_beat;
    reg [COUNT_BITS-1:0] left;
    reg [OPEN_BITS-1:0]  open_bursts;

    wire [6:0] to_page_end = 7'd64 - {1'b0, next_beat[5:0]};
    wire [6:0] burst       = left < {{(COUNT_BITS - 7) {1'b0}}, to_page_end} ? left[6:0] : to_page_end;
    wire       asks        = left != 0 && !stop && (!arvalid || arready) && open_bursts != OPEN_BITS'(OUTSTANDING);
    wire       completes   = rvalid && rready && rlast;

    assign idle = left == 0 && !arvalid && open_bursts == 0;

    always @(posedge clk) begin
        if (!rst_n) begin
            arvalid     <= 1'b0;
            left        <= 0;
            open_bursts <= 0;
        end else begin
            if (start) begin
                next_beat <= first_beat;
                left      <= beats;
            end else if (stop) begin
                left <= 0;
            end else if (asks) begin
                next_beat <= next_beat + {51'd0, burst};
                left      <= left - {{(COUNT_BITS - 7) {1'b0}}, burst};
            end
            if (asks) begin
                arvalid <= 1'b1;
                arbeat  <= next_beat;
                arlen   <= {1'b0, burst} - 8'd1;
            end else if (arready) begin
                arvalid <= 1'b0;
            end
            if (asks && !completes) open_bursts <= open_bursts + 1'b1;
            if (completes && !asks) open_bursts <= open_bursts - 1'b1;
        end
    end
endmodule

`default_nettype wire
