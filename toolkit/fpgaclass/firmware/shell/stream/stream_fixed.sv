// Turns a stream of floats (IEEE 754, 32 bits) into one of fixed-point words, as a cast to ap_fixed does.
//
// A float x becomes the low WORD_BYTES of floor(x * 2**fraction) in two's complement: cut towards minus infinity
// and wrapped. What is too large for any of its bits to be among those becomes 0, and so do infinity and what is
// not a number. The fraction is that of the value's place in its event: byte j of FRACTIONS, signed.
//
// A float of which bytes are missing (at the end of a packet) comes out as a word that is not kept.
`default_nettype none

module stream_fixed #(
    parameter integer              WORD_BYTES = 2,  // 1, 2 or 4
    parameter integer              VALUES     = 16,
    parameter [8*VALUES-1:0]       FRACTIONS  = 0
) (
    input  wire                    clk,
    input  wire                    rst_n,

    input  wire                    tvalid,
    output wire                    tready,
    input  wire [31:0]             tdata,
    input  wire [3:0]              tkeep,
    input  wire                    tlast,

    output reg                     valid,
    input  wire                    ready,
    output reg  [8*WORD_BYTES-1:0] word,
    output reg                     keep,
    output reg                     last
);
    localparam integer PLACE_W = VALUES > 1 ? $clog2(VALUES) : 1;
    localparam [PLACE_W-1:0] LAST_PLACE = PLACE_W'(VALUES - 1);

    reg [7:0] fractions [0:VALUES-1];
    integer   i;
    initial for (i = 0; i < VALUES; i = i + 1) fractions[i] = FRACTIONS[8*i +: 8];

    // Two clocks, which stand still together.
    wire               moves = !valid || ready;
    reg  [PLACE_W-1:0] place;
    assign tready = moves;

    // The float is mantissa * 2**(exponent - 150), of 24 bits and a sign; small ones have no leading 1.
    wire [7:0]         exponent  = tdata[30:23];
    wire               tiny      = exponent == 8'd0;
    wire signed [24:0] magnitude = {1'b0, !tiny, tdata[22:0]};
    wire [7:0]         fraction  = fractions[place];
    wire signed [9:0]  shift     = $signed({2'b00, exponent}) + $signed({9'd0, tiny}) - 10'sd150
                                   + $signed({{2{fraction[7]}}, fraction});
    wire [9:0]         back      = -shift;

    reg                half_way, half_keep, half_last, left, lost;
    reg  signed [24:0] mantissa;
    reg  [4:0]         amount;
    wire signed [31:0] wide  = {{7{mantissa[24]}}, mantissa};
    wire [31:0]        moved = left ? wide << amount : wide >>> amount;

    always @(posedge clk) begin
        if (!rst_n) begin
            valid    <= 1'b0;
            half_way <= 1'b0;
            place    <= 0;
        end else if (moves) begin
            valid    <= half_way;
            half_way <= tvalid;
            if (tvalid) place <= tlast || place == LAST_PLACE ? {PLACE_W{1'b0}} : place + 1'b1;
        end
        if (moves) begin
            mantissa  <= tdata[31] ? -magnitude : magnitude;
            left      <= !shift[9];
            lost      <= !shift[9] && shift[8:5] != 4'd0;
            amount    <= !shift[9] ? shift[4:0] : back[9:5] != 5'd0 ? 5'd31 : back[4:0];
            half_keep <= &tkeep;
            half_last <= tlast;
            word      <= lost ? {8 * WORD_BYTES{1'b0}} : moved[8*WORD_BYTES-1:0];
            keep      <= half_keep;
            last      <= half_last;
        end
    end

    generate
        if (WORD_BYTES < 4) begin : narrow
            wire unused = &{1'b0, moved[31:8*WORD_BYTES]};
        end
    endgenerate
endmodule

`default_nettype wire
