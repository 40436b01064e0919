// Packs what comes out of the core into beats with write strobes, and cuts off what may not be written.
`default_nettype none

module shell_pack #(
    parameter integer COUNT_BITS = 36,
    parameter integer OUT_BYTES  = 64
) (
    input  wire                  clk,
    input  wire                  rst_n,
    input  wire                  start,
    input  wire [COUNT_BITS-1:0] out_bytes,
    input  wire [5:0]            out_lane,

    input  wire                  valid,
    input  wire                  last,
    input  wire [8*OUT_BYTES-1:0] event_out,

    output reg                   push,
    output reg  [511:0]          data,
    output reg  [63:0]           strobe,
    output reg                   complete  // the last beat has been pushed
);
    localparam integer BEATS = OUT_BYTES > 64 ? OUT_BYTES / 64 : 1;
    localparam integer CHUNK = OUT_BYTES > 64 ? 64 : OUT_BYTES;  // bytes that move at once
    localparam integer LANES = 64 / CHUNK;
    localparam [COUNT_BITS-1:0] CHUNK_BYTES = COUNT_BITS'(CHUNK);

    reg  [COUNT_BITS-1:0] bytes_left;
    reg                   ends;  // the beat being pushed is the last
    wire                  moves, moves_last;
    wire [8*CHUNK-1:0]    chunk;

    // One strobe bit a byte of the chunk: all of them, or as many as may still be written.
    wire             clipped   = bytes_left < CHUNK_BYTES;
    wire [CHUNK-1:0] all_bytes = {CHUNK{1'b1}};
    wire [CHUNK-1:0] bytes     = clipped ? ~(all_bytes << bytes_left[5:0]) : all_bytes;

    generate
        if (BEATS > 1) begin : several
            localparam integer LEFT_W = $clog2(BEATS + 1);
            reg [512*BEATS-1:0] held;
            reg [LEFT_W-1:0]    left;
            reg                 held_last;

            assign chunk      = held[511:0];
            assign moves      = left != 0 && bytes_left != 0;
            assign moves_last = held_last && left == 1 || bytes_left <= CHUNK_BYTES;

            always @(posedge clk) begin
                if (!rst_n || start) begin
                    left <= 0;
                end else if (valid) begin
                    held      <= event_out;
                    held_last <= last;
                    left      <= LEFT_W'(BEATS);
                end else if (left != 0) begin
                    held <= held >> 512;
                    left <= left - 1'b1;
                end
            end
        end else begin : one
            assign chunk      = event_out;
            assign moves      = valid;
            assign moves_last = last;
        end

        if (LANES == 1) begin : whole
            always @(posedge clk) begin
                push <= moves && rst_n;
                if (moves) begin
                    data   <= chunk;
                    strobe <= bytes;
                end
            end
            wire unused = &{1'b0, out_lane};
        end else begin : part
            localparam integer LANE_W = $clog2(LANES);
            reg [LANE_W-1:0] lane;
            reg              fresh;  // the next event opens a beat

            always @(posedge clk) begin
                if (!rst_n || start) begin
                    push  <= 1'b0;
                    fresh <= 1'b1;
                    lane  <= out_lane[LANE_W-1:0];
                end else begin
                    push <= moves && (moves_last || &lane);
                    if (moves) begin
                        lane   <= lane + 1'b1;
                        fresh  <= &lane;
                        data[8*CHUNK*lane +: 8*CHUNK] <= chunk;
                        strobe <= (fresh ? 64'd0 : strobe) | ({{(64 - CHUNK) {1'b0}}, bytes} << (CHUNK * lane));
                    end
                end
            end
            wire unused = &{1'b0, out_lane};
        end
    endgenerate

    always @(posedge clk) begin
        if (!rst_n || start) begin
            ends     <= 1'b0;
            complete <= 1'b0;
        end else begin
            ends <= moves && moves_last;
            if (push && ends) complete <= 1'b1;
        end
        if (start) bytes_left <= out_bytes;
        else if (moves) bytes_left <= clipped ? {COUNT_BITS{1'b0}} : bytes_left - CHUNK_BYTES;
    end
endmodule

`default_nettype wire
