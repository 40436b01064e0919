// AXI4-Lite slave with the register map of hls4ml's Alveo kernel.
//
//   0x00 to 0x0c  the ap_ctrl_hs handshake (see shell_lite)
//   0x10, 0x14 fifo_in     0x1c, 0x20 fifo_out     0x28 length_in     0x30 length_out
//
// Writes elsewhere are ignored and reads elsewhere give 0.
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
    output wire        bvalid,
    input  wire        bready,
    input  wire        arvalid,
    output wire        arready,
    input  wire [5:0]  araddr,
    output wire        rvalid,
    input  wire        rready,
    output wire [31:0] rdata,
    output wire        interrupt,

    output wire        ap_start,
    input  wire        ap_done,
    input  wire        ap_idle,
    output reg  [63:0] fifo_in,
    output reg  [63:0] fifo_out,
    output reg  [31:0] length_in,
    output reg  [31:0] length_out
);
    wire        writes;
    wire [3:0]  write_word, read_word, write_strobe;
    wire [31:0] write_data;
    reg  [31:0] read_value;

    shell_lite #(.ADDRESS_BITS(6)) lite (
        .clk(clk), .rst_n(rst_n), .awvalid(awvalid), .awready(awready), .awaddr(awaddr), .wvalid(wvalid),
        .wready(wready), .wdata(wdata), .wstrb(wstrb), .bvalid(bvalid), .bready(bready), .arvalid(arvalid),
        .arready(arready), .araddr(araddr), .rvalid(rvalid), .rready(rready), .rdata(rdata),
        .interrupt(interrupt), .ap_start(ap_start), .ap_done(ap_done), .ap_idle(ap_idle), .writes(writes),
        .write_word(write_word), .write_data(write_data), .write_strobe(write_strobe), .read_word(read_word),
        .read_value(read_value)
    );

    function [31:0] merged(input [31:0] old, input [31:0] fresh, input [3:0] strobe);
        merged = {strobe[3] ? fresh[31:24] : old[31:24], strobe[2] ? fresh[23:16] : old[23:16],
                  strobe[1] ? fresh[15:8] : old[15:8], strobe[0] ? fresh[7:0] : old[7:0]};
    endfunction

    always @* begin
        case (read_word)
            4'h4: read_value = fifo_in[31:0];
            4'h5: read_value = fifo_in[63:32];
            4'h7: read_value = fifo_out[31:0];
            4'h8: read_value = fifo_out[63:32];
            4'ha: read_value = length_in;
            4'hc: read_value = length_out;
            default: read_value = 32'd0;
        endcase
    end

    always @(posedge clk) begin
        if (!rst_n) begin
            fifo_in    <= 64'd0;
            fifo_out   <= 64'd0;
            length_in  <= 32'd0;
            length_out <= 32'd0;
        end else if (writes) begin
            case (write_word)
                4'h4: fifo_in[31:0] <= merged(fifo_in[31:0], write_data, write_strobe);
                4'h5: fifo_in[63:32] <= merged(fifo_in[63:32], write_data, write_strobe);
                4'h7: fifo_out[31:0] <= merged(fifo_out[31:0], write_data, write_strobe);
                4'h8: fifo_out[63:32] <= merged(fifo_out[63:32], write_data, write_strobe);
                4'ha: length_in <= merged(length_in, write_data, write_strobe);
                4'hc: length_out <= merged(length_out, write_data, write_strobe);
                default: ;
            endcase
        end
    end
endmodule

`default_nettype wire
