// The kernel that a card runs: an AXI shell around a network, with hls4ml's register map for Alveo cards.
//
// A run reads `length_in` words at `fifo_in`, cuts them into slots of IN_BYTES, sends one slot a clock through
// `event_core` and writes the slots of OUT_BYTES that come out at `fifo_out`, at most `length_out` words.
// What the file shell_parameters.svh must define, and what happens with odd lengths and addresses, is written
// in the docstring of this folder (__init__.py).
`default_nettype none

module krnl_rtl (
    input  wire         ap_clk,
    input  wire         ap_rst_n,
    /* verilator lint_off SYMRSVDWORD */
    output wire         interrupt,  // the name that Vitis looks for
    /* verilator lint_on SYMRSVDWORD */

    input  wire         s_axi_control_AWVALID,
    output wire         s_axi_control_AWREADY,
    input  wire [5:0]   s_axi_control_AWADDR,
    input  wire         s_axi_control_WVALID,
    output wire         s_axi_control_WREADY,
    input  wire [31:0]  s_axi_control_WDATA,
    input  wire [3:0]   s_axi_control_WSTRB,
    output wire         s_axi_control_BVALID,
    input  wire         s_axi_control_BREADY,
    output wire [1:0]   s_axi_control_BRESP,
    input  wire         s_axi_control_ARVALID,
    output wire         s_axi_control_ARREADY,
    input  wire [5:0]   s_axi_control_ARADDR,
    output wire         s_axi_control_RVALID,
    input  wire         s_axi_control_RREADY,
    output wire [31:0]  s_axi_control_RDATA,
    output wire [1:0]   s_axi_control_RRESP,

    output wire         m_axi_gmem_ARVALID,
    input  wire         m_axi_gmem_ARREADY,
    output wire [63:0]  m_axi_gmem_ARADDR,
    output wire [0:0]   m_axi_gmem_ARID,
    output wire [7:0]   m_axi_gmem_ARLEN,
    output wire [2:0]   m_axi_gmem_ARSIZE,
    output wire [1:0]   m_axi_gmem_ARBURST,
    output wire [1:0]   m_axi_gmem_ARLOCK,
    output wire [3:0]   m_axi_gmem_ARCACHE,
    output wire [2:0]   m_axi_gmem_ARPROT,
    output wire [3:0]   m_axi_gmem_ARQOS,
    output wire [3:0]   m_axi_gmem_ARREGION,
    input  wire         m_axi_gmem_RVALID,
    output wire         m_axi_gmem_RREADY,
    input  wire [511:0] m_axi_gmem_RDATA,
    input  wire         m_axi_gmem_RLAST,
    input  wire [0:0]   m_axi_gmem_RID,
    input  wire [1:0]   m_axi_gmem_RRESP,

    output wire         m_axi_gmem_AWVALID,
    input  wire         m_axi_gmem_AWREADY,
    output wire [63:0]  m_axi_gmem_AWADDR,
    output wire [0:0]   m_axi_gmem_AWID,
    output wire [7:0]   m_axi_gmem_AWLEN,
    output wire [2:0]   m_axi_gmem_AWSIZE,
    output wire [1:0]   m_axi_gmem_AWBURST,
    output wire [1:0]   m_axi_gmem_AWLOCK,
    output wire [3:0]   m_axi_gmem_AWCACHE,
    output wire [2:0]   m_axi_gmem_AWPROT,
    output wire [3:0]   m_axi_gmem_AWQOS,
    output wire [3:0]   m_axi_gmem_AWREGION,
    output wire         m_axi_gmem_WVALID,
    input  wire         m_axi_gmem_WREADY,
    output wire [511:0] m_axi_gmem_WDATA,
    output wire [63:0]  m_axi_gmem_WSTRB,
    output wire         m_axi_gmem_WLAST,
    input  wire         m_axi_gmem_BVALID,
    output wire         m_axi_gmem_BREADY,
    input  wire [0:0]   m_axi_gmem_BID,
    input  wire [1:0]   m_axi_gmem_BRESP
);
    `include "shell_parameters.svh"

    localparam integer COUNT_BITS = 36;
    localparam integer WORD_SHIFT = $clog2(WORD_BYTES);
    localparam integer IN_BEATS   = IN_BYTES > 64 ? IN_BYTES / 64 : 1;
    localparam integer IN_LANES   = IN_BYTES < 64 ? 64 / IN_BYTES : 1;
    localparam integer OUT_LANES  = OUT_BYTES < 64 ? 64 / OUT_BYTES : 1;
    localparam integer UNIT_SHIFT = IN_BYTES < 64 ? $clog2(IN_BYTES) : 6;
    localparam integer LANE_SHIFT = $clog2(IN_LANES);
    localparam integer OUT_SHIFT  = OUT_BYTES < 64 ? $clog2(OUT_BYTES) : 6;
    // Two bursts of 64 beats, and what is on its way through the core.
    localparam integer FIFO_DEPTH = 1 << $clog2(192 + LATENCY);
    localparam [COUNT_BITS-1:0] EVENT_UNITS  = COUNT_BITS'(IN_BEATS);
    localparam [COUNT_BITS-1:0] BEAT_ROUNDUP = COUNT_BITS'(IN_LANES - 1);

    localparam [1:0] IDLE = 2'd0, PREPARE = 2'd1, RUN = 2'd2, DONE = 2'd3;

    wire        clk   = ap_clk;
    wire        rst_n = ap_rst_n;
    reg  [1:0]  state;
    wire        ap_start, ap_done, ap_idle;
    wire [63:0] fifo_in, fifo_out;
    wire [31:0] length_in, length_out;
    wire        reader_idle, writer_idle, finished;

    // A slot that is smaller than a beat may start anywhere in its beat; lower address bits are ignored.
    reg  [5:0]            in_lane, out_lane;
    reg  [COUNT_BITS-1:0] units, beats, out_bytes;
    wire [COUNT_BITS-1:0] units_asked = ({4'd0, length_in} << WORD_SHIFT) >> UNIT_SHIFT;
    wire [5:0]            lane_asked  = IN_LANES > 1 ? fifo_in[5:0] >> UNIT_SHIFT : 6'd0;
    wire                  nothing     = units < EVENT_UNITS || out_bytes == 0;
    wire                  start       = state == PREPARE && !nothing;

    assign ap_done = state == DONE;
    assign ap_idle = state == IDLE && !ap_start;

    always @(posedge clk) begin
        if (!rst_n) begin
            state <= IDLE;
        end else begin
            case (state)
                IDLE: if (ap_start) state <= PREPARE;
                PREPARE: state <= nothing ? DONE : RUN;
                RUN: if (reader_idle && writer_idle) state <= DONE;
                default: state <= IDLE;
            endcase
        end
        if (state == IDLE) begin
            units     <= units_asked;
            beats     <= (units_asked + {{(COUNT_BITS - 6) {1'b0}}, lane_asked} + BEAT_ROUNDUP) >> LANE_SHIFT;
            out_bytes <= {4'd0, length_out} << WORD_SHIFT;
            in_lane   <= lane_asked;
            out_lane  <= OUT_LANES > 1 ? fifo_out[5:0] >> OUT_SHIFT : 6'd0;
        end
    end

    shell_control control (
        .clk(clk), .rst_n(rst_n),
        .awvalid(s_axi_control_AWVALID), .awready(s_axi_control_AWREADY), .awaddr(s_axi_control_AWADDR),
        .wvalid(s_axi_control_WVALID), .wready(s_axi_control_WREADY), .wdata(s_axi_control_WDATA),
        .wstrb(s_axi_control_WSTRB), .bvalid(s_axi_control_BVALID), .bready(s_axi_control_BREADY),
        .arvalid(s_axi_control_ARVALID), .arready(s_axi_control_ARREADY), .araddr(s_axi_control_ARADDR),
        .rvalid(s_axi_control_RVALID), .rready(s_axi_control_RREADY), .rdata(s_axi_control_RDATA),
        .interrupt(interrupt), .ap_start(ap_start), .ap_done(ap_done), .ap_idle(ap_idle),
        .fifo_in(fifo_in), .fifo_out(fifo_out), .length_in(length_in), .length_out(length_out)
    );

    wire [57:0] arbeat;
    shell_reader #(.COUNT_BITS(COUNT_BITS)) reader (
        .clk(clk), .rst_n(rst_n), .start(start), .first_beat(fifo_in[63:6]), .beats(beats), .stop(finished),
        .idle(reader_idle), .arvalid(m_axi_gmem_ARVALID), .arready(m_axi_gmem_ARREADY), .arbeat(arbeat),
        .arlen(m_axi_gmem_ARLEN), .rvalid(m_axi_gmem_RVALID), .rready(m_axi_gmem_RREADY),
        .rlast(m_axi_gmem_RLAST)
    );

    wire                   issue, issue_last, fifo_pop;
    wire [8*IN_BYTES-1:0]  event_in;
    wire [8*OUT_BYTES-1:0] event_out;
    shell_issue #(
        .COUNT_BITS(COUNT_BITS), .IN_BYTES(IN_BYTES), .OUT_BYTES(OUT_BYTES), .CREDITS(FIFO_DEPTH)
    ) issuer (
        .clk(clk), .rst_n(rst_n), .start(start), .units(units), .out_bytes(out_bytes), .in_lane(in_lane),
        .out_lane(out_lane), .rvalid(m_axi_gmem_RVALID), .rready(m_axi_gmem_RREADY),
        .rdata(m_axi_gmem_RDATA), .event_in(event_in), .issue(issue), .issue_last(issue_last),
        .credit_back(fifo_pop), .finished(finished)
    );

    event_core core (.clk(clk), .event_in(event_in), .event_out(event_out));

    // What the core cannot tell: which of its results are real, and which is the last.
    reg [LATENCY:0] valid_pipe, last_pipe;
    generate
        if (LATENCY == 0) begin : short_pipe
            always @(posedge clk) begin
                valid_pipe <= rst_n && issue;
                last_pipe  <= issue_last;
            end
        end else begin : long_pipe
            always @(posedge clk) begin
                valid_pipe <= rst_n ? {valid_pipe[LATENCY-1:0], issue} : {(LATENCY + 1) {1'b0}};
                last_pipe  <= {last_pipe[LATENCY-1:0], issue_last};
            end
        end
    endgenerate

    wire         push, complete;
    wire [511:0] push_data;
    wire [63:0]  push_strobe;
    shell_pack #(.COUNT_BITS(COUNT_BITS), .OUT_BYTES(OUT_BYTES)) packer (
        .clk(clk), .rst_n(rst_n), .start(start), .out_bytes(out_bytes), .out_lane(out_lane),
        .valid(valid_pipe[LATENCY]), .last(last_pipe[LATENCY]), .event_out(event_out),
        .push(push), .data(push_data), .strobe(push_strobe), .complete(complete)
    );

    wire fifo_valid;
    shell_fifo #(.WIDTH(576), .DEPTH(FIFO_DEPTH)) fifo (
        .clk(clk), .clear(!rst_n), .push(push), .push_data({push_strobe, push_data}), .valid(fifo_valid),
        .data({m_axi_gmem_WSTRB, m_axi_gmem_WDATA}), .pop(fifo_pop)
    );

    wire [57:0] awbeat;
    shell_writer #(.FIFO_DEPTH(FIFO_DEPTH)) writer (
        .clk(clk), .rst_n(rst_n), .start(start), .first_beat(fifo_out[63:6]), .pushed(push),
        .complete(complete), .idle(writer_idle), .fifo_valid(fifo_valid), .fifo_pop(fifo_pop),
        .awvalid(m_axi_gmem_AWVALID), .awready(m_axi_gmem_AWREADY), .awbeat(awbeat), .awlen(m_axi_gmem_AWLEN),
        .wvalid(m_axi_gmem_WVALID), .wready(m_axi_gmem_WREADY), .wlast(m_axi_gmem_WLAST),
        .bvalid(m_axi_gmem_BVALID)
    );

    assign s_axi_control_BRESP = 2'b00;
    assign s_axi_control_RRESP = 2'b00;

    // Incrementing bursts of whole beats; "modifiable, bufferable" lets an interconnect work on them.
    assign m_axi_gmem_ARADDR   = {arbeat, 6'd0};
    assign m_axi_gmem_ARID     = 1'b0;
    assign m_axi_gmem_ARSIZE   = 3'd6;
    assign m_axi_gmem_ARBURST  = 2'b01;
    assign m_axi_gmem_ARLOCK   = 2'b00;
    assign m_axi_gmem_ARCACHE  = 4'b0011;
    assign m_axi_gmem_ARPROT   = 3'b000;
    assign m_axi_gmem_ARQOS    = 4'd0;
    assign m_axi_gmem_ARREGION = 4'd0;
    assign m_axi_gmem_AWADDR   = {awbeat, 6'd0};
    assign m_axi_gmem_AWID     = 1'b0;
    assign m_axi_gmem_AWSIZE   = 3'd6;
    assign m_axi_gmem_AWBURST  = 2'b01;
    assign m_axi_gmem_AWLOCK   = 2'b00;
    assign m_axi_gmem_AWCACHE  = 4'b0011;
    assign m_axi_gmem_AWPROT   = 3'b000;
    assign m_axi_gmem_AWQOS    = 4'd0;
    assign m_axi_gmem_AWREGION = 4'd0;
    assign m_axi_gmem_BREADY   = 1'b1;

    wire unused = &{1'b0, m_axi_gmem_RID, m_axi_gmem_RRESP, m_axi_gmem_BID, m_axi_gmem_BRESP};
endmodule

`default_nettype wire
