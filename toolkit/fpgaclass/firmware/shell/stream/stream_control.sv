// AXI4-Lite slave of the stream kernel: counters, and one event by registers, without any DMA.
//
//   0x000 control   bit 0 ap_start (send the event of the window through the core; clears when it is done),
//                   bit 1 ap_done (clears on read), bit 2 ap_idle, bit 3 ap_ready
//   0x004 global interrupt enable, bit 0
//   0x008 interrupt enable, 0x00c interrupt status (a written 1 toggles): bit 0 ap_done, bit 1 ap_ready
//   0x010 events that came by the stream since reset      0x018 packets
//   0x400 window of the event (IN_BYTES)                  0x800 window of its result (OUT_BYTES, read only)
//
// Writes elsewhere are ignored and reads elsewhere give 0, both with OKAY. Without MAILBOX there are no windows
// and ap_start does nothing.
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
    output reg                    bvalid,
    input  wire                   bready,
    input  wire                   arvalid,
    output wire                   arready,
    input  wire [11:0]            araddr,
    output reg                    rvalid,
    input  wire                   rready,
    output reg  [31:0]            rdata,
    output wire                   interrupt,

    input  wire                   event_passed,   // by the stream
    input  wire                   packet_passed,
    output wire                   ap_start,
    input  wire                   ap_done,
    output wire [8*IN_BYTES-1:0]  letter,         // the event of the window
    input  wire [8*OUT_BYTES-1:0] reply           // holds from ap_done on
);
    // Address and data may come in either order: each is held until the other is there.
    reg         aw_held, w_held;
    reg  [9:0]  write_word;
    reg  [31:0] write_data;
    reg  [3:0]  write_strobe;
    wire        writes    = aw_held && w_held && !bvalid;
    wire [9:0]  read_word = araddr[11:2];
    wire        reads     = arvalid && arready;

    assign awready = !aw_held;
    assign wready  = !w_held;
    assign arready = !rvalid;

    reg        started, done_flag, interrupts_on;
    reg  [1:0]  interrupt_enable, interrupt_status;
    reg  [31:0] events, packets;
    wire [31:0] letter_word, reply_word;
    assign ap_start  = started;
    assign interrupt = interrupts_on && interrupt_status != 2'b00;

    always @(posedge clk) begin
        if (!rst_n) begin
            aw_held          <= 1'b0;
            w_held           <= 1'b0;
            bvalid           <= 1'b0;
            rvalid           <= 1'b0;
            started          <= 1'b0;
            done_flag        <= 1'b0;
            interrupts_on    <= 1'b0;
            interrupt_enable <= 2'b00;
            interrupt_status <= 2'b00;
            events           <= 32'd0;
            packets          <= 32'd0;
        end else begin
            if (awvalid && awready) begin
                aw_held    <= 1'b1;
                write_word <= awaddr[11:2];
            end
            if (wvalid && wready) begin
                w_held       <= 1'b1;
                write_data   <= wdata;
                write_strobe <= wstrb;
            end
            if (bvalid && bready) bvalid <= 1'b0;
            if (rvalid && rready) rvalid <= 1'b0;

            if (reads) begin
                rvalid <= 1'b1;
                casez (read_word)
                    10'h000: rdata <= {28'd0, ap_done, !started, done_flag, started};
                    10'h001: rdata <= {31'd0, interrupts_on};
                    10'h002: rdata <= {30'd0, interrupt_enable};
                    10'h003: rdata <= {30'd0, interrupt_status};
                    10'h004: rdata <= events;
                    10'h006: rdata <= packets;
                    10'b01????????: rdata <= letter_word;
                    10'b10????????: rdata <= reply_word;
                    default: rdata <= 32'd0;
                endcase
                if (read_word == 10'd0) done_flag <= 1'b0;
            end

            if (writes) begin
                aw_held <= 1'b0;
                w_held  <= 1'b0;
                bvalid  <= 1'b1;
                if (write_strobe[0]) begin
                    case (write_word)
                        10'h000: if (write_data[0] && MAILBOX != 0) started <= 1'b1;
                        10'h001: interrupts_on <= write_data[0];
                        10'h002: interrupt_enable <= write_data[1:0];
                        10'h003: interrupt_status <= interrupt_status ^ write_data[1:0];
                        default: ;
                    endcase
                end
            end

            events  <= events + {31'd0, event_passed};
            packets <= packets + {31'd0, packet_passed};
            // After the reads and writes, so that the end is never lost to one in the same clock.
            if (ap_done) begin
                done_flag        <= 1'b1;
                started          <= 1'b0;
                interrupt_status <= interrupt_status | interrupt_enable;
            end
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
            wire unused = &{1'b0, reply, write_data[31:2], write_strobe[3:1]};
        end
    endgenerate

    wire unused = &{1'b0, awaddr[1:0], araddr[1:0]};
endmodule

`default_nettype wire
