// AXI4-Lite slave with the register map of hls4ml's Alveo kernel and the ap_ctrl_hs handshake.
//
//   0x00 control    bit 0 ap_start (read, write, clears when the run is done), bit 1 ap_done (clears on read),
//                   bit 2 ap_idle, bit 3 ap_ready, bit 7 auto_restart
//   0x04 global interrupt enable, bit 0
//   0x08 interrupt enable, 0x0c interrupt status (a written 1 toggles): bit 0 ap_done, bit 1 ap_ready
//   0x10, 0x14 fifo_in     0x1c, 0x20 fifo_out     0x28 length_in     0x30 length_out
//
// Writes elsewhere are ignored and reads elsewhere give 0, both with OKAY.
`default_nettype none

module shell_control (
    input  wire        clk,
    input  wire        rst_n,

    input  wire        awvalid,
    output wire        awready,
    input  wire [5:0]  awaddr,
    input  wire        wvalid,
    output wire        wready,
    input  wire [31:0] wdata,
    input  wire [3:0]  wstrb,
    output reg         bvalid,
    input  wire        bready,
    input  wire        arvalid,
    output wire        arready,
    input  wire [5:0]  araddr,
    output reg         rvalid,
    input  wire        rready,
    output reg  [31:0] rdata,
    output wire        interrupt,

    output reg         ap_start,
    input  wire        ap_done,
    input  wire        ap_idle,
    output reg  [63:0] fifo_in,
    output reg  [63:0] fifo_out,
    output reg  [31:0] length_in,
    output reg  [31:0] length_out
);
    // Address and data may come in either order: each is held until the other is there.
    reg         aw_held, w_held;
    reg  [3:0]  write_word;
    reg  [31:0] write_data;
    reg  [3:0]  write_strobe;
    wire        writes = aw_held && w_held && !bvalid;

    assign awready = !aw_held;
    assign wready  = !w_held;
    assign arready = !rvalid;

    reg       done_flag, auto_restart, interrupts_on;
    reg [1:0] interrupt_enable, interrupt_status;
    assign interrupt = interrupts_on && (interrupt_status != 2'b00);

    function [31:0] merged(input [31:0] old, input [31:0] fresh, input [3:0] strobe);
        merged = {strobe[3] ? fresh[31:24] : old[31:24], strobe[2] ? fresh[23:16] : old[23:16],
                  strobe[1] ? fresh[15:8] : old[15:8], strobe[0] ? fresh[7:0] : old[7:0]};
    endfunction

    wire [3:0] read_word = araddr[5:2];
    wire       reads     = arvalid && arready;

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
            fifo_in          <= 64'd0;
            fifo_out         <= 64'd0;
            length_in        <= 32'd0;
            length_out       <= 32'd0;
        end else begin
            if (awvalid && awready) begin
                aw_held    <= 1'b1;
                write_word <= awaddr[5:2];
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
                    4'h0: rdata <= {24'd0, auto_restart, 3'd0, ap_done, ap_idle, done_flag, ap_start};
                    4'h1: rdata <= {31'd0, interrupts_on};
                    4'h2: rdata <= {30'd0, interrupt_enable};
                    4'h3: rdata <= {30'd0, interrupt_status};
                    4'h4: rdata <= fifo_in[31:0];
                    4'h5: rdata <= fifo_in[63:32];
                    4'h7: rdata <= fifo_out[31:0];
                    4'h8: rdata <= fifo_out[63:32];
                    4'ha: rdata <= length_in;
                    4'hc: rdata <= length_out;
                    default: rdata <= 32'd0;
                endcase
                if (read_word == 4'h0) done_flag <= 1'b0;
            end

            if (writes) begin
                aw_held <= 1'b0;
                w_held  <= 1'b0;
                bvalid  <= 1'b1;
                case (write_word)
                    4'h0: if (write_strobe[0]) begin
                        if (write_data[0]) ap_start <= 1'b1;
                        auto_restart <= write_data[7];
                    end
                    4'h1: if (write_strobe[0]) interrupts_on <= write_data[0];
                    4'h2: if (write_strobe[0]) interrupt_enable <= write_data[1:0];
                    4'h3: if (write_strobe[0]) interrupt_status <= interrupt_status ^ write_data[1:0];
                    4'h4: fifo_in[31:0] <= merged(fifo_in[31:0], write_data, write_strobe);
                    4'h5: fifo_in[63:32] <= merged(fifo_in[63:32], write_data, write_strobe);
                    4'h7: fifo_out[31:0] <= merged(fifo_out[31:0], write_data, write_strobe);
                    4'h8: fifo_out[63:32] <= merged(fifo_out[63:32], write_data, write_strobe);
                    4'ha: length_in <= merged(length_in, write_data, write_strobe);
                    4'hc: length_out <= merged(length_out, write_data, write_strobe);
                    default: ;
                endcase
            end

            // After the reads and writes, so that the end of a run is never lost to one in the same clock.
            if (ap_done) begin
                done_flag <= 1'b1;
                if (!(writes && write_word == 4'h0 && write_strobe[0] && write_data[0])) ap_start <= auto_restart;
                interrupt_status <= interrupt_status | interrupt_enable;
            end
        end
    end

    wire unused = &{1'b0, awaddr[1:0], araddr[1:0]};
endmodule

`default_nettype wire
