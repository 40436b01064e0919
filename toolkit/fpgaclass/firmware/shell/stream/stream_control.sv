// AXI4-Lite slave of the stream kernel: counters, and one event by registers, without any DMA.
//
//   0x000 to 0x00c  the ap_ctrl_hs handshake (see shell_lite): ap_start sends the event of the window through
//                   the core; there is no auto_restart
//   0x010 events that came by the stream since reset      0x018 packets
//   0x400 window of the event (IN_BYTES)                  0x800 window of its result (OUT_BYTES, read only)
//
// The windows hold what the core takes and gives. Writes elsewhere are ignored and reads elsewhere give 0.
// Without MAILBOX there are no windows and ap_start does nothing.
`default_nettype none

module stream_control #(
    parameter integer IN_BYTES  = 64,
    parameter integer OUT_BYTES = 4,
    parameter integer MAILBOX   = 1
) (
    input  wire                   clk,
    input  wire                   rst_n,

    input  wire                   awvalid,
    output wire                   awready,
    input  wire [11:0]            awaddr,
    input  wire                   wvalid,
    output wire                   wready,
    input  wire [31:0]            wdata,
    input  wire [3:0]             wstrb,
    output wire                   bvalid,
    input  wire                   bready,
    input  wire                   arvalid,
    output wire                   arready,
    input  wire [11:0]            araddr,
    output wire                   rvalid,
    input  wire                   rready,
    output wire [31:0]            rdata,
    output wire                   interrupt,

    input  wire                   event_passed,   // by the stream
    input  wire                   packet_passed,
    output wire                   ap_start,
    input  wire                   ap_done,
    output wire [8*IN_BYTES-1:0]  letter,         // the event of the window
    input  wire [8*OUT_BYTES-1:0] reply           // holds from ap_done on
);
    wire        writes;
    wire [9:0]  write_word, read_word;
    wire [31:0] write_data;
    wire [3:0]  write_strobe;
    reg  [31:0] read_value;

    shell_lite #(.ADDRESS_BITS(12), .STARTS(MAILBOX), .RESTARTS(0)) lite (
        .clk(clk), .rst_n(rst_n), .awvalid(awvalid), .awready(awready), .awaddr(awaddr), .wvalid(wvalid),
        .wready(wready), .wdata(wdata), .wstrb(wstrb), .bvalid(bvalid), .bready(bready), .arvalid(arvalid),
        .arready(arready), .araddr(araddr), .rvalid(rvalid), .rready(rready), .rdata(rdata),
        .interrupt(interrupt), .ap_start(ap_start), .ap_done(ap_done), .ap_idle(!ap_start), .writes(writes),
        .write_word(write_word), .write_data(write_data), .write_strobe(write_strobe), .read_word(read_word),
        .read_value(read_value)
    );

    reg  [31:0] events, packets;
    wire [31:0] letter_word, reply_word;

    always @* begin
        casez (read_word)
            10'h004: read_value = events;
            10'h006: read_value = packets;
            10'b01????????: read_value = letter_word;
            10'b10????????: read_value = reply_word;
            default: read_value = 32'd0;
        endcase
    end

    always @(posedge clk) begin
        if (!rst_n) begin
            events  <= 32'd0;
            packets <= 32'd0;
        end else begin
            events  <= events + {31'd0, event_passed};
            packets <= packets + {31'd0, packet_passed};
        end
    end

    generate
        if (MAILBOX != 0) begin : mailbox
            localparam integer IN_WORDS  = (IN_BYTES + 3) / 4;
            localparam integer OUT_WORDS = (OUT_BYTES + 3) / 4;
            reg  [32*IN_WORDS-1:0]  event_words;
            wire [32*OUT_WORDS-1:0] reply_words = {{(32 * OUT_WORDS - 8 * OUT_BYTES) {1'b0}}, reply};
            wire [7:0]              at = read_word[7:0];
            genvar                  index;

            assign letter      = event_words[8*IN_BYTES-1:0];
            assign letter_word = at <= 8'(IN_WORDS - 1) ? event_words[32*at +: 32] : 32'd0;
            assign reply_word  = at <= 8'(OUT_WORDS - 1) ? reply_words[32*at +: 32] : 32'd0;

            for (index = 0; index < 4 * IN_WORDS; index = index + 1) begin : part
                always @(posedge clk)
                    if (writes && write_word == 10'h100 + 10'(index / 4) && write_strobe[index%4])
                        event_words[8*index +: 8] <= write_data[8*(index%4) +: 8];
            end
        end else begin : none
            assign letter      = {8 * IN_BYTES{1'b0}};
            assign letter_word = 32'd0;
            assign reply_word  = 32'd0;
            wire unused = &{1'b0, reply, writes, write_word, write_data, write_strobe};
        end
    endgenerate
endmodule

`default_nettype wire
