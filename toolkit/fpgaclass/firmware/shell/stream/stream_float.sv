// Turns fixed-point words into floats (IEEE 754, 32 bits): word * 2**-fraction, three clocks later.
//
// Words of 32 bits may need more than a float's 24 and are then rounded, a half to even; others come out exactly.
// Fraction and signedness are those of the value's place in its result: byte j of FRACTIONS, signed and within
// -64 to 64, and bit j of SIGNED. A word that is not kept (a packet without any result) has no place.
`default_nettype none

module stream_float #(
    parameter integer              WORD_BYTES = 2,  // 1, 2 or 4
    parameter integer              VALUES     = 1,
    parameter [8*VALUES-1:0]       FRACTIONS  = 0,
    parameter [VALUES-1:0]         SIGNED     = 0
) (
    input  wire                    clk,
    input  wire                    rst_n,

    input  wire                    valid,
    input  wire [8*WORD_BYTES-1:0] word,
    input  wire                    keep,
    input  wire                    last,

    output wire                    push,
    output wire [31:0]             data,
    output wire                    data_keep,
    output wire                    data_last
);
    localparam integer BITS    = 8 * WORD_BYTES;
    localparam integer PLACE_W = VALUES > 1 ? $clog2(VALUES) : 1;
    localparam [PLACE_W-1:0] LAST_PLACE = PLACE_W'(VALUES - 1);

    reg [8:0] formats [0:VALUES-1];
    integer   i;
    initial for (i = 0; i < VALUES; i = i + 1) formats[i] = {SIGNED[i], FRACTIONS[8*i +: 8]};

    reg  [PLACE_W-1:0] place;
    wire [8:0]         format   = formats[place];
    wire               negative = format[8] && word[BITS-1];

    // How far the highest 1 of a number is from the top, by halves.
    function [4:0] zeros(input [31:0] number);
        reg [31:0] rest;
        begin
            rest = number;
            zeros[4] = rest[31:16] == 16'd0;
            if (zeros[4]) rest = rest << 16;
            zeros[3] = rest[31:24] == 8'd0;
            if (zeros[3]) rest = rest << 8;
            zeros[2] = rest[31:28] == 4'd0;
            if (zeros[2]) rest = rest << 4;
            zeros[1] = rest[31:30] == 2'd0;
            if (zeros[1]) rest = rest << 2;
            zeros[0] = !rest[31];
        end
    endfunction

    // First its magnitude, then the place of its highest 1, then the rounding.
    reg  [2:0]      there, keeps, lasts;
    reg  [BITS-1:0] magnitude;
    reg             minus, minus_too, nothing;
    reg  [7:0]      fraction, exponent;
    reg  [31:0]     scaled;
    reg  [31:0]     made;
    wire [31:0]     raised  = {magnitude, {(32 - BITS) {1'b0}}};
    wire [4:0]      leading = zeros(raised);
    wire            up      = scaled[7] && (scaled[6:0] != 7'd0 || scaled[8]);
    wire [30:0]     rounded = {exponent, scaled[30:8]} + {30'd0, up};

    assign push      = there[2];
    assign data      = made;
    assign data_keep = keeps[2];
    assign data_last = lasts[2];

    always @(posedge clk) begin
        if (!rst_n) begin
            there <= 3'd0;
            place <= 0;
        end else begin
            there <= {there[1:0], valid};
            if (valid) place <= last || place == LAST_PLACE ? {PLACE_W{1'b0}} : place + 1'b1;
        end
        keeps     <= {keeps[1:0], keep};
        lasts     <= {lasts[1:0], last};
        magnitude <= negative ? -word : word;
        minus     <= negative;
        fraction  <= format[7:0];

        scaled    <= raised << leading;
        exponent  <= 8'(126 + BITS) - {3'd0, leading} - fraction;
        minus_too <= minus;
        nothing   <= magnitude == {BITS{1'b0}};

        made      <= nothing ? 32'd0 : {minus_too, rounded};
    end

    wire unused = &{1'b0, scaled[31]};
endmodule

`default_nettype wire
