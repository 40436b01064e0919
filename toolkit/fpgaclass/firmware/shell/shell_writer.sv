// AXI4 write master: sends the beats of the output FIFO in bursts of up to 64 that stay inside a 4 KB page.
//
// A burst is announced once all its beats are in the FIFO, so the W channel never waits for the core. The
// write response is only counted; a bus error does not stop the run.
`default_nettype none

module shell_writer #(
    parameter integer FIFO_DEPTH  = 256,
    parameter integer OUTSTANDING = 8  // bursts announced and not yet answered
) (
    input  wire         clk,
    input  wire         rst_n,
    input  wire         start,
    input  wire [57:0]  first_beat,  // byte address / 64
    input  wire         pushed,      // a beat entered the FIFO
    input  wire         complete,    // no more will
    output wire         idle,        // all that was pushed has been answered

    input  wire         fifo_valid,
    output wire         fifo_pop,

    output reg          awvalid,
    input  wire         awready,
    output reg  [57:0]  awbeat,
    output reg  [7:0]   awlen,
    output wire         wvalid,
    input  wire         wready,
    output wire         wlast,
    input  wire         bvalid
);
    localparam integer COUNT_W = $clog2(FIFO_DEPTH + 2);
    localparam integer OPEN_W  = $clog2(OUTSTANDING + 1);
    localparam integer SLOT_W  = $clog2(OUTSTANDING);

    reg [57:0]        next_beat;
    reg [COUNT_W-1:0] waiting;  // beats in the FIFO that no burst has yet
    reg [OPEN_W-1:0]  open_bursts;

    wire [6:0]         to_page_end = 7'd64 - {1'b0, next_beat[5:0]};
    wire [COUNT_W-1:0] wanted      = {{(COUNT_W - 7) {1'b0}}, to_page_end};
    wire               enough      = waiting >= wanted;
    wire [6:0]         burst       = enough ? to_page_end : waiting[6:0];
    wire               announces   = (enough || (complete && waiting != 0)) && (!awvalid || awready)
                                     && open_bursts != OPEN_W'(OUTSTANDING);

    // Lengths of the announced bursts whose beats are still to go; there are never more than open bursts.
    reg [6:0]        lengths [0:OUTSTANDING-1];
    reg [SLOT_W-1:0] length_head, length_tail;
    reg [OPEN_W-1:0] length_count;
    reg [6:0]        beats_left;
    wire             sends    = wvalid && wready;
    wire             takes    = length_count != 0 && (beats_left == 0 || (sends && wlast));

    assign wvalid   = beats_left != 0 && fifo_valid;
    assign wlast    = beats_left == 7'd1;
    assign fifo_pop = sends;
    assign idle     = complete && waiting == 0 && open_bursts == 0;

    always @(posedge clk) begin
        if (!rst_n) begin
            awvalid      <= 1'b0;
            waiting      <= 0;
            open_bursts  <= 0;
            length_head  <= 0;
            length_tail  <= 0;
            length_count <= 0;
            beats_left   <= 7'd0;
        end else begin
            if (start) next_beat <= first_beat;
            else if (announces) next_beat <= next_beat + {51'd0, burst};
            waiting <= waiting + {{(COUNT_W - 1) {1'b0}}, pushed}
                       - (announces ? {{(COUNT_W - 7) {1'b0}}, burst} : {COUNT_W{1'b0}});
            if (announces) begin
                awvalid <= 1'b1;
                awbeat  <= next_beat;
                awlen   <= {1'b0, burst} - 8'd1;
                length_tail <= length_tail + 1'b1;
            end else if (awready) begin
                awvalid <= 1'b0;
            end
            if (announces && !bvalid) open_bursts <= open_bursts + 1'b1;
            if (bvalid && !announces) open_bursts <= open_bursts - 1'b1;

            if (announces && !takes) length_count <= length_count + 1'b1;
            if (takes && !announces) length_count <= length_count - 1'b1;
            if (takes) begin
                length_head <= length_head + 1'b1;
                beats_left  <= lengths[length_head];
            end else if (sends) begin
                beats_left <= beats_left - 7'd1;
            end
        end
        if (announces) lengths[length_tail] <= burst;
    end
endmodule

`default_nettype wire
