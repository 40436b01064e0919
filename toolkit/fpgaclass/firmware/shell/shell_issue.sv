// Cuts beats into events and sends at most one a clock into the core.
//
// The core cannot be stalled, so an event leaves only when there is room for what will come out of it: a
// credit stands for one beat of the output FIFO, is taken with the event that will open that beat, and comes
// back when the beat leaves for memory.
`default_nettype none

module shell_issue #(
    parameter integer COUNT_BITS = 36,
    parameter integer IN_BYTES   = 64,
    parameter integer OUT_BYTES  = 64,
    parameter integer CREDITS    = 256
) (
    input  wire                  clk,
    input  wire                  rst_n,
    input  wire                  start,
    input  wire [COUNT_BITS-1:0] units,      // input slots, or input beats when a slot has several
    input  wire [COUNT_BITS-1:0] out_bytes,  // that may be written at most
    input  wire [5:0]            in_lane,    // slot of the first beat with the first event
    input  wire [5:0]            out_lane,

    input  wire                  rvalid,
    output wire                  rready,
    input  wire [511:0]          rdata,

    output wire [8*IN_BYTES-1:0] event_in,
    output wire                  issue,
    output wire                  issue_last,
    input  wire                  credit_back,
    output reg                   finished    // the last event is in the core; further beats are dropped
);
    localparam integer IN_BEATS   = IN_BYTES > 64 ? IN_BYTES / 64 : 1;
    localparam integer OUT_BEATS  = OUT_BYTES > 64 ? OUT_BYTES / 64 : 1;
    localparam integer OUT_LANES  = OUT_BYTES < 64 ? 64 / OUT_BYTES : 1;
    localparam integer CREDIT_W   = $clog2(CREDITS + 1);
    localparam integer GAP_W      = OUT_BEATS > 1 ? $clog2(OUT_BEATS) : 1;
    localparam [COUNT_BITS-1:0] TWO_EVENTS = COUNT_BITS'(2 * IN_BEATS);
    localparam [COUNT_BITS-1:0] ONE_EVENT  = COUNT_BITS'(IN_BEATS);
    localparam [COUNT_BITS-1:0] ONE_OUT    = COUNT_BITS'(OUT_BYTES);
    localparam [CREDIT_W-1:0]   PRICE      = CREDIT_W'(OUT_BEATS);
    localparam [CREDIT_W-1:0]   ALL        = CREDIT_W'(CREDITS);
    localparam [5:0]            LAST_LANE  = 6'(OUT_LANES - 1);

    reg [COUNT_BITS-1:0] units_left, bytes_left;
    reg [CREDIT_W-1:0]   credits;
    reg [GAP_W-1:0]      gap;
    reg [5:0]            lane;
    reg                  opens;  // the next event is the first of its output beat
    wire                 event_ready;

    wire affordable = !opens || credits >= PRICE;
    wire pays       = issue && opens;

    assign issue      = event_ready && affordable && gap == 0 && !finished;
    assign issue_last = units_left < TWO_EVENTS || bytes_left <= ONE_OUT;

    always @(posedge clk) begin
        if (!rst_n) begin
            finished <= 1'b1;
            credits  <= ALL;
            gap      <= 0;
            opens    <= 1'b1;
        end else if (start) begin
            finished   <= 1'b0;
            units_left <= units;
            bytes_left <= out_bytes;
            credits    <= ALL;
            gap        <= 0;
            lane       <= out_lane;
            opens      <= 1'b1;
        end else begin
            if (issue) begin
                finished   <= issue_last;
                units_left <= units_left - ONE_EVENT;
                bytes_left <= bytes_left - ONE_OUT;
                lane       <= lane == LAST_LANE ? 6'd0 : lane + 6'd1;
                opens      <= lane == LAST_LANE;
                gap        <= GAP_W'(OUT_BEATS - 1);
            end else if (gap != 0) begin
                gap <= gap - 1'b1;
            end
            credits <= credits - (pays ? PRICE : {CREDIT_W{1'b0}}) + {{(CREDIT_W - 1) {1'b0}}, credit_back};
        end
    end

    generate
        if (IN_BYTES > 64) begin : gather
            localparam integer INDEX_W = $clog2(IN_BEATS);
            localparam [INDEX_W-1:0] LAST_BEAT = INDEX_W'(IN_BEATS - 1);
            reg [512*IN_BEATS-1:0] slot;
            reg [INDEX_W-1:0]      index;
            reg                    full;

            assign event_ready = full;
            assign event_in    = slot;
            // While a full slot leaves, the first beat of the next one may come in.
            assign rready      = finished || !full || issue;

            always @(posedge clk) begin
                if (!rst_n || start || finished) begin
                    index <= 0;
                    full  <= 1'b0;
                end else if (rvalid && rready) begin
                    index <= index == LAST_BEAT ? {INDEX_W{1'b0}} : index + 1'b1;
                    full  <= index == LAST_BEAT;
                end else if (issue) begin
                    full <= 1'b0;
                end
                // Beats come in order: shifting needs no multiplexers.
                if (rvalid && rready) slot <= {rdata, slot[512*IN_BEATS-1:512]};
            end
            wire unused = &{1'b0, in_lane};
        end else begin : cut
            localparam integer LANES = 64 / IN_BYTES;
            localparam [5:0] LAST_IN_LANE = 6'(LANES - 1);
            reg [511:0] beat;
            reg [5:0]   from_lane;
            reg         full;
            wire        emptied = issue && from_lane == LAST_IN_LANE;

            assign event_ready = full;
            assign rready      = finished || !full || emptied;

            if (LANES == 1) begin : whole
                assign event_in = beat;
            end else begin : part
                localparam integer LANE_W = $clog2(LANES);
                assign event_in = beat[8*IN_BYTES*from_lane[LANE_W-1:0] +: 8*IN_BYTES];
            end

            always @(posedge clk) begin
                if (!rst_n || finished) full <= 1'b0;
                else if (rvalid && rready) full <= 1'b1;
                else if (emptied) full <= 1'b0;
                if (start) from_lane <= in_lane;
                else if (issue) from_lane <= emptied ? 6'd0 : from_lane + 6'd1;
                if (rvalid && rready) beat <= rdata;
            end
        end
    endgenerate
endmodule

`default_nettype wire
