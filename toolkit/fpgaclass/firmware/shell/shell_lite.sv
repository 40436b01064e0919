// AXI4-Lite slave with the registers of the ap_ctrl_hs handshake; those after them are its user's.
//
//   0x0 control    bit 0 ap_start (read, write, clears when the run is done), bit 1 ap_done (clears on read),
//                  bit 2 ap_idle, bit 3 ap_ready, bit 7 auto_restart
//   0x4 global interrupt enable, bit 0
//   0x8 interrupt enable, 0xc interrupt status (a written 1 toggles): bit 0 ap_done, bit 1 ap_ready
//
// The user sees each write for one clock, and answers a read in the clock in which it is asked. Every access is
// answered with OKAY.
`default_nettype none

module shell_lite #(
    parameter integer ADDRESS_BITS = 6,
    parameter integer STARTS       = 1,  // 0: ap_start stays low
    parameter integer RESTARTS     = 1   // 0: there is no auto_restart
) (
    input  wire                    clk,
    input  wire                    rst_n,

    input  wire                    awvalid,
    output wire                    awready,
    input  wire [ADDRESS_BITS-1:0] awaddr,
    input  wire                    wvalid,
    output wire                    wready,
    input  wire [31:0]             wdata,
    input  wire [3:0]              wstrb,
    output reg                     bvalid,
    input  wire                    bready,
    input  wire                    arvalid,
    output wire                    arready,
    input  wire [ADDRESS_BITS-1:0] araddr,
    output reg                     rvalid,
    input  wire                    rready,
    output reg  [31:0]             rdata,
    output wire                    interrupt,

    output reg                     ap_start,
    input  wire                    ap_done,
    input  wire                    ap_idle,

    output wire                    writes,
    output reg  [ADDRESS_BITS-3:0] write_word,
    output reg  [31:0]             write_data,
    output reg  [3:0]              write_strobe,
    output wire [ADDRESS_BITS-3:0] read_word,
    input  wire [31:0]             read_value   // of the registers after these four
);
    localparam [ADDRESS_BITS-3:0] CONTROL = 0, GLOBAL = 1, ENABLE = 2, STATUS = 3;

    // Address and data may come in either order: each is held until the other is there.
    reg  aw_held, w_held;
    wire reads   = arvalid && arready;
    wire sets    = writes && write_strobe[0];
    wire starts  = sets && write_word == CONTROL && write_data[0] && STARTS != 0;

    assign writes    = aw_held && w_held && !bvalid;
    assign awready   = !aw_held;
    assign wready    = !w_held;
    assign arready   = !rvalid;
    assign read_word = araddr[ADDRESS_BITS-1:2];

    reg       done_flag, auto_restart, interrupts_on;
    reg [1:0] interrupt_enable, interrupt_status;
    assign interrupt = interrupts_on && interrupt_status != 2'b00;

    always @(posedge clk) begin
        if (!rst_n) begin
            aw_held          <= 1'b0;
            w_held           <= 1'b0;
            bvalid           <= 1'b0;
            rvalid           <= 1'b0;
            ap_start         <= 1'b0;
            done_flag        <= 1'b0;
            auto_restart     <= 1'b0;
            interrupts_on    <= 1'b0;
            interrupt_enable <= 2'b00;
            interrupt_status <= 2'b00;
        end else begin
            if (awvalid && awready) begin
                aw_held    <= 1'b1;
                write_word <= awaddr[ADDRESS_BITS-1:2];
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
                case (read_word)
                    CONTROL: rdata <= {24'd0, auto_restart, 3'd0, ap_done, ap_idle, done_flag, ap_start};
                    GLOBAL:  rdata <= {31'd0, interrupts_on};
                    ENABLE:  rdata <= {30'd0, interrupt_enable};
                    STATUS:  rdata <= {30'd0, interrupt_status};
                    default: rdata <= read_value;
                endcase
                if (read_word == CONTROL) done_flag <= 1'b0;
            end

            if (writes) begin
                aw_held <= 1'b0;
                w_held  <= 1'b0;
                bvalid  <= 1'b1;
            end
            if (starts) ap_start <= 1'b1;
            if (sets && write_word == CONTROL && RESTARTS != 0) auto_restart <= write_data[7];
            if (sets && write_word == GLOBAL) interrupts_on <= write_data[0];
            if (sets && write_word == ENABLE) interrupt_enable <= write_data[1:0];
            if (sets && write_word == STATUS) interrupt_status <= interrupt_status ^ write_data[1:0];

            // After the reads and writes, so that the end of a run is never lost to one in the same clock.
            if (ap_done) begin
                done_flag <= 1'b1;
                if (!starts) ap_start <= auto_restart;
                interrupt_status <= interrupt_status | interrupt_enable;
            end
        end
    end

    wire unused = &{1'b0, awaddr[1:0], araddr[1:0]};
endmodule

`default_nettype wire
