// Cuts packets of an AXI4-Stream into events.
//
// A token is an event, the end of a packet, or both in one. A packet that ends in the middle of an event gives
// an end alone: what was there of that event is dropped, and the next packet starts with a new one. TKEEP
// counts in the last beat of a packet; before it, beats are whole.
`default_nettype none

module stream_gather #(
    parameter integer BEAT_BYTES = 4,  // 1, 2, 4 or 8
    parameter integer IN_BYTES   = 64  // a power of two below BEAT_BYTES, or a multiple of it
) (
    input  wire                    clk,
    input  wire                    rst_n,

    input  wire                    tvalid,
    output wire                    tready,
    input  wire [8*BEAT_BYTES-1:0] tdata,
    input  wire [BEAT_BYTES-1:0]   tkeep,
    input  wire                    tlast,

    output wire                    has_event,
    output wire                    has_end,
    output wire [8*IN_BYTES-1:0]   event_in,
    input  wire                    take       // the token leaves
);
    wire accept = tvalid && tready;

    generate
        if (IN_BYTES >= BEAT_BYTES) begin : gather
            localparam integer BEATS   = IN_BYTES / BEAT_BYTES;
            localparam integer INDEX_W = BEATS > 1 ? $clog2(BEATS) : 1;
            localparam [INDEX_W-1:0] LAST = INDEX_W'(BEATS - 1);
            reg [8*IN_BYTES-1:0] slot;
            reg [INDEX_W-1:0]    index;
            reg                  whole, ends;
            wire                 completes = index == LAST;

            assign has_event = whole;
            assign has_end   = ends;
            assign event_in  = slot;
            assign tready    = !(whole || ends) || take;

            always @(posedge clk) begin
                if (!rst_n) begin
                    index <= 0;
                    whole <= 1'b0;
                    ends  <= 1'b0;
                end else if (accept) begin
                    index <= completes || tlast ? {INDEX_W{1'b0}} : index + 1'b1;
                    whole <= completes && (&tkeep || !tlast);
                    ends  <= tlast;
                end else if (take) begin
                    whole <= 1'b0;
                    ends  <= 1'b0;
                end
            end
            if (BEATS > 1) begin : several
                always @(posedge clk) if (accept) slot <= {tdata, slot[8*IN_BYTES-1:8*BEAT_BYTES]};
            end else begin : one
                always @(posedge clk) if (accept) slot <= tdata;
            end
        end else begin : cut
            localparam integer LANES  = BEAT_BYTES / IN_BYTES;
            localparam integer LANE_W = $clog2(LANES);
            localparam [LANE_W:0] ALL = (LANE_W + 1)'(LANES);
            reg [8*BEAT_BYTES-1:0] beat;
            reg [LANE_W:0]         left;  // events of this beat that are still to go
            reg                    full, last;
            wire                   emptied = take && left <= 1;

            // Events of the arriving beat: those whose last byte is kept.
            reg [LANE_W:0] here;
            integer        i;
            always @* begin
                here = 0;
                for (i = 0; i < LANES; i = i + 1)
                    here = here + {{LANE_W{1'b0}}, tkeep[IN_BYTES*(i+1)-1]};
            end

            assign has_event = full && left != 0;
            assign has_end   = full && last && left <= 1;
            assign event_in  = beat[8*IN_BYTES-1:0];
            assign tready    = !full || emptied;

            always @(posedge clk) begin
                if (!rst_n) full <= 1'b0;
                else if (accept) full <= tlast || here != 0;
                else if (emptied) full <= 1'b0;
                if (accept) begin
                    beat <= tdata;
                    left <= tlast ? here : ALL;
                    last <= tlast;
                end else if (take) begin
                    beat <= beat >> (8 * IN_BYTES);
                    left <= left - 1'b1;
                end
            end
        end
    endgenerate
endmodule

`default_nettype wire
