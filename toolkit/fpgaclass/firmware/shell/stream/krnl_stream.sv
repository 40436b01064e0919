// The kernel of a Zynq board: a network between two AXI4-Streams, as an AXI DMA feeds and empties it.
//
// Events come one after the other in packets (slots of IN_BYTES), and the results of a packet (slots of
// OUT_BYTES) leave as one packet. What stream_parameters.svh must define, and what happens with odd packets, is
// written in the docstring of the folder above (__init__.py).
`default_nettype none

module krnl_stream #(
    `include "stream_parameters.svh"
) (
    input  wire                    ap_clk,
    input  wire                    ap_rst_n,
    /* verilator lint_off SYMRSVDWORD */
    output wire                    interrupt,  // the name that Vivado looks for
    /* verilator lint_on SYMRSVDWORD */

    input  wire                    in_r_TVALID,
    output wire                    in_r_TREADY,
    input  wire [8*BEAT_BYTES-1:0] in_r_TDATA,
    input  wire [BEAT_BYTES-1:0]   in_r_TKEEP,
    input  wire                    in_r_TLAST,

    output wire                    out_r_TVALID,
    input  wire                    out_r_TREADY,
    output wire [8*BEAT_BYTES-1:0] out_r_TDATA,
    output wire [BEAT_BYTES-1:0]   out_r_TKEEP,
    output wire                    out_r_TLAST,

    input  wire                    s_axi_control_AWVALID,
    output wire                    s_axi_control_AWREADY,
    input  wire [11:0]             s_axi_control_AWADDR,
    input  wire                    s_axi_control_WVALID,
    output wire                    s_axi_control_WREADY,
    input  wire [31:0]             s_axi_control_WDATA,
    input  wire [3:0]              s_axi_control_WSTRB,
    output wire                    s_axi_control_BVALID,
    input  wire                    s_axi_control_BREADY,
    output wire [1:0]              s_axi_control_BRESP,
    input  wire                    s_axi_control_ARVALID,
    output wire                    s_axi_control_ARREADY,
    input  wire [11:0]             s_axi_control_ARADDR,
    output wire                    s_axi_control_RVALID,
    input  wire                    s_axi_control_RREADY,
    output wire [31:0]             s_axi_control_RDATA,
    output wire [1:0]              s_axi_control_RRESP
);
    // A slot in registers costs as many flip-flops: only for events of 256 bytes or fewer.
    localparam integer MAILBOX   = IN_BYTES <= 256 && OUT_BYTES <= 256 ? 1 : 0;
    // Floats are converted on their way in and out: inside, a beat is one of the core's words.
    localparam integer LANE      = FLOATS != 0 ? WORD_BYTES : BEAT_BYTES;
    localparam integer OUT_BEATS = OUT_BYTES > LANE ? OUT_BYTES / LANE : 1;
    // The core cannot be stalled, so a token enters it only when there is room for all that may come of the
    // tokens inside: PRICE beats each, and what stream_pack still holds.
    localparam integer PRICE      = OUT_BEATS + 1;
    localparam integer MARGIN     = OUT_BEATS + 3;
    localparam integer FIFO_DEPTH = 1 << $clog2((LATENCY + 4) * PRICE + MARGIN);
    localparam integer COUNT_W    = $clog2(FIFO_DEPTH * 4);
    localparam integer GAP_W      = OUT_BEATS > 1 ? $clog2(OUT_BEATS) : 1;
    localparam [COUNT_W-1:0] ROOM = COUNT_W'(FIFO_DEPTH - MARGIN - PRICE);

    wire clk   = ap_clk;
    wire rst_n = ap_rst_n;

    wire              in_valid, in_ready, in_last;
    wire [8*LANE-1:0] in_data;
    wire [LANE-1:0]   in_keep;
    wire              has_event, has_end, take;
    wire [8*IN_BYTES-1:0] streamed;
    stream_gather #(.BEAT_BYTES(LANE), .IN_BYTES(IN_BYTES)) gatherer (
        .clk(clk), .rst_n(rst_n), .tvalid(in_valid), .tready(in_ready), .tdata(in_data), .tkeep(in_keep),
        .tlast(in_last), .has_event(has_event), .has_end(has_end), .event_in(streamed), .take(take)
    );

    // Tokens enter the core OUT_BEATS clocks apart. An event by registers goes first: it waits for nobody and
    // holds up the stream for one clock.
    reg  [COUNT_W-1:0]     promised;  // beats that tokens in the core and the FIFO may need
    reg  [GAP_W-1:0]       gap;
    reg                    posted;    // the event by registers is in the core
    wire                   lite_start, lite_done;
    wire                   posts = lite_start && !posted;
    wire [8*IN_BYTES-1:0]  letter;
    wire [8*IN_BYTES-1:0]  event_in = MAILBOX != 0 && posts ? letter : streamed;
    wire [8*OUT_BYTES-1:0] event_out;
    wire                   enters = take && has_event;
    wire                   ends   = take && has_end;
    assign take = (has_event || has_end) && !posts && gap == 0 && promised <= ROOM;

    event_core core (.clk(clk), .event_in(event_in), .event_out(event_out));

    // What the core cannot tell: whose results come out of it.
    reg  [LATENCY:0] event_pipe, end_pipe, post_pipe;
    wire             out_event = event_pipe[LATENCY], out_end = end_pipe[LATENCY], out_post = post_pipe[LATENCY];
    generate
        if (LATENCY == 0) begin : short_pipe
            always @(posedge clk) begin
                event_pipe <= rst_n && enters;
                end_pipe   <= rst_n && ends;
                post_pipe  <= rst_n && posts;
            end
        end else begin : long_pipe
            always @(posedge clk) begin
                event_pipe <= rst_n ? {event_pipe[LATENCY-1:0], enters} : {(LATENCY + 1) {1'b0}};
                end_pipe   <= rst_n ? {end_pipe[LATENCY-1:0], ends} : {(LATENCY + 1) {1'b0}};
                post_pipe  <= rst_n ? {post_pipe[LATENCY-1:0], posts} : {(LATENCY + 1) {1'b0}};
            end
        end
    endgenerate

    wire              push, push_last, pop;
    wire [8*LANE-1:0] push_data;
    wire [LANE-1:0]   push_keep;
    stream_pack #(.BEAT_BYTES(LANE), .OUT_BYTES(OUT_BYTES)) packer (
        .clk(clk), .rst_n(rst_n), .valid(out_event), .ends(out_end), .event_out(event_out),
        .push(push), .data(push_data), .keep(push_keep), .last(push_last)
    );
    wire                    store, store_last;
    wire [8*BEAT_BYTES-1:0] store_data;
    wire [BEAT_BYTES-1:0]   store_keep;
    shell_fifo #(.WIDTH(9 * BEAT_BYTES + 1), .DEPTH(FIFO_DEPTH)) fifo (
        .clk(clk), .clear(!rst_n), .push(store), .push_data({store_last, store_keep, store_data}),
        .valid(out_r_TVALID), .data({out_r_TLAST, out_r_TKEEP, out_r_TDATA}), .pop(pop)
    );
    assign pop = out_r_TVALID && out_r_TREADY;

    generate
        if (FLOATS != 0) begin : floats
            wire kept, kept_too;
            stream_fixed #(
                .WORD_BYTES(WORD_BYTES), .VALUES(IN_BYTES / WORD_BYTES), .FRACTIONS(IN_FRACTIONS)
            ) to_fixed (
                .clk(clk), .rst_n(rst_n), .tvalid(in_r_TVALID), .tready(in_r_TREADY), .tdata(in_r_TDATA),
                .tkeep(in_r_TKEEP), .tlast(in_r_TLAST), .valid(in_valid), .ready(in_ready), .word(in_data),
                .keep(kept), .last(in_last)
            );
            assign in_keep = {LANE{kept}};
            // What was promised room covers what is between the packer and the FIFO, too.
            stream_float #(
                .WORD_BYTES(WORD_BYTES), .VALUES(OUT_BYTES / WORD_BYTES), .FRACTIONS(OUT_FRACTIONS),
                .SIGNED(OUT_SIGNED)
            ) to_float (
                .clk(clk), .rst_n(rst_n), .valid(push), .word(push_data), .keep(push_keep[0]),
                .last(push_last), .push(store), .data(store_data), .data_keep(kept_too), .data_last(store_last)
            );
            assign store_keep = {BEAT_BYTES{kept_too}};
            wire unused_keep = &{1'b0, push_keep};
        end else begin : words
            assign in_valid    = in_r_TVALID;
            assign in_r_TREADY = in_ready;
            assign in_data     = in_r_TDATA;
            assign in_keep     = in_r_TKEEP;
            assign in_last     = in_r_TLAST;
            assign store       = push;
            assign store_data  = push_data;
            assign store_keep  = push_keep;
            assign store_last  = push_last;
        end
    endgenerate

    wire leaves = out_event || out_end;
    always @(posedge clk) begin
        if (!rst_n) begin
            promised <= 0;
            gap      <= 0;
            posted   <= 1'b0;
        end else begin
            promised <= promised + (take ? COUNT_W'(PRICE) : {COUNT_W{1'b0}})
                        - (leaves ? COUNT_W'(PRICE) : {COUNT_W{1'b0}})
                        + {{(COUNT_W - 1) {1'b0}}, push} - {{(COUNT_W - 1) {1'b0}}, pop};
            if (take) gap <= GAP_W'(OUT_BEATS - 1);
            else if (gap != 0) gap <= gap - 1'b1;
            posted <= posts || (posted && !lite_done);
        end
    end

    reg                    replied;
    reg  [8*OUT_BYTES-1:0] reply;
    assign lite_done = replied;
    always @(posedge clk) begin
        replied <= rst_n && out_post && MAILBOX != 0;
        if (out_post) reply <= event_out;
    end
    stream_control #(.IN_BYTES(IN_BYTES), .OUT_BYTES(OUT_BYTES), .MAILBOX(MAILBOX)) control (
        .clk(clk), .rst_n(rst_n),
        .awvalid(s_axi_control_AWVALID), .awready(s_axi_control_AWREADY), .awaddr(s_axi_control_AWADDR),
        .wvalid(s_axi_control_WVALID), .wready(s_axi_control_WREADY), .wdata(s_axi_control_WDATA),
        .wstrb(s_axi_control_WSTRB), .bvalid(s_axi_control_BVALID), .bready(s_axi_control_BREADY),
        .arvalid(s_axi_control_ARVALID), .arready(s_axi_control_ARREADY), .araddr(s_axi_control_ARADDR),
        .rvalid(s_axi_control_RVALID), .rready(s_axi_control_RREADY), .rdata(s_axi_control_RDATA),
        .interrupt(interrupt), .event_passed(enters), .packet_passed(ends), .ap_start(lite_start),
        .ap_done(lite_done), .letter(letter), .reply(reply)
    );
    assign s_axi_control_BRESP = 2'b00;
    assign s_axi_control_RRESP = 2'b00;

    // What simulators count a run by: from the first word that is offered to the end of a packet of results.
    wire ap_start = in_r_TVALID;
    wire ap_done  = pop && out_r_TLAST;
    wire unused   = &{1'b0, ap_start, ap_done};
endmodule

`default_nettype wire
