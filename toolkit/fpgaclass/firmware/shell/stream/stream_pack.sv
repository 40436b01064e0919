// Packs results into beats of an AXI4-Stream packet.
//
// A full beat is held back until it is known whether it is the packet's last: the end may come alone, clocks
// after the result. A packet without any result is one beat with TLAST and no byte kept, so that whoever waits
// for it learns that there is nothing. The tokens must be OUT_BYTES / BEAT_BYTES clocks apart.
`default_nettype none

module stream_pack #(
    parameter integer BEAT_BYTES = 4,  // 1, 2, 4 or 8
    parameter integer OUT_BYTES  = 4   // a power of two below BEAT_BYTES, or a multiple of it
) (
    input  wire                    clk,
    input  wire                    rst_n,

    input  wire                    valid,
    input  wire                    ends,      // the packet, with this result or without one
    input  wire [8*OUT_BYTES-1:0]  event_out,

    output wire                    push,
    output wire [8*BEAT_BYTES-1:0] data,
    output wire [BEAT_BYTES-1:0]   keep,
    output wire                    last
);
    localparam integer CHUNK = OUT_BYTES < BEAT_BYTES ? OUT_BYTES : BEAT_BYTES;  // bytes that move at once
    localparam integer LANES = BEAT_BYTES / CHUNK;

    // A result of several beats becomes as many chunks; the end goes with the last of them.
    wire               moves, moves_end;
    wire [8*CHUNK-1:0] chunk;
    generate
        if (OUT_BYTES > BEAT_BYTES) begin : several
            localparam integer BEATS  = OUT_BYTES / BEAT_BYTES;
            localparam integer LEFT_W = $clog2(BEATS + 1);
            reg [8*OUT_BYTES-1:0] held;
            reg [LEFT_W-1:0]      left;
            reg                   held_end;

            assign moves     = left != 0;
            assign moves_end = held_end && left <= 1;
            assign chunk     = held[8*CHUNK-1:0];

            always @(posedge clk) begin
                if (!rst_n) begin
                    left     <= 0;
                    held_end <= 1'b0;
                end else if (valid || ends) begin
                    left     <= valid ? LEFT_W'(BEATS) : {LEFT_W{1'b0}};
                    held_end <= ends;
                end else begin
                    if (left != 0) left <= left - 1'b1;
                    if (left <= 1) held_end <= 1'b0;
                end
                if (valid) held <= event_out;
                else held <= held >> (8 * CHUNK);
            end
        end else begin : one
            assign moves     = valid;
            assign moves_end = ends;
            assign chunk     = event_out;
        end
    endgenerate

    reg closed;  // the held beat is the packet's last
    generate
        if (LANES == 1) begin : whole
            reg [8*BEAT_BYTES-1:0] held;
            reg                    filled;

            assign push = closed || (filled && moves);
            assign data = held;
            assign keep = {BEAT_BYTES{filled}};
            assign last = closed;

            always @(posedge clk) begin
                if (!rst_n) filled <= 1'b0;
                else filled <= moves || (filled && !closed);
                if (moves) held <= chunk;
            end
        end else begin : part
            localparam integer LANE_W = $clog2(LANES);
            localparam [LANE_W:0] FULL = (LANE_W + 1)'(LANES);
            reg [8*BEAT_BYTES-1:0] held;
            reg [LANE_W:0]         lane;  // the next free one
            wire                   opens = closed || lane == FULL;
            wire [LANE_W:0]        at    = opens ? {(LANE_W + 1) {1'b0}} : lane;
            reg  [BEAT_BYTES-1:0]  kept;
            integer                i;

            always @* for (i = 0; i < BEAT_BYTES; i = i + 1) kept[i] = i < CHUNK * lane;
            assign push = closed || (lane == FULL && moves);
            assign data = held;
            assign keep = kept;
            assign last = closed;

            always @(posedge clk) begin
                if (!rst_n) lane <= 0;
                else if (moves) lane <= at + 1'b1;
                else if (closed) lane <= 0;
                if (moves) held[8*CHUNK*at[LANE_W-1:0] +: 8*CHUNK] <= chunk;
            end
        end
    endgenerate

    always @(posedge clk) begin
        if (!rst_n) closed <= 1'b0;
        else closed <= moves_end;
    end
endmodule

`default_nettype wire
