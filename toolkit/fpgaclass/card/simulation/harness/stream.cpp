// A stream kernel between an AXI4-Lite master and an AXI DMA, as a C library.
//
// The DMA behaves as the register descriptions of AMD's product guide PG021 (AXI DMA v7.1) say for direct
// register mode, without data realignment. Memory answers a read after read_latency clocks and then gives a beat
// a clock; a packet counts as written write_latency clocks after its last beat. A reset of the DMA resets the
// kernel too, as its prmry_reset_out_n would.
#include <bit>

#include "bench.hpp"

namespace {

enum Control : uint32_t { RUN = 1, ALWAYS = 2, RESET = 4, WRITABLE = 0xFFFF7019, CONTROL_AT_RESET = 0x00010002 };
enum State : uint32_t {
    HALTED = 1, IDLE = 2, INTERNAL_ERROR = 0x10, DECODE_ERROR = 0x40, DONE_IRQ = 0x1000, ERROR_IRQ = 0x4000,
    INTERRUPTS = 0x7000
};
enum Register : uint32_t { CR = 0x00, SR = 0x04, ADDRESS = 0x18, LENGTH = 0x28, S2MM = 0x30, END = 0x5C };
constexpr int ACCESS_CLOCKS = 4;  // of one register access through the interconnect

// One direction of the DMA.
struct Channel {
    uint32_t control = CONTROL_AT_RESET, state = HALTED, address = 0, length = 0;
    bool busy = false;
    uint64_t due = 0;                // when memory is ready for the transfer
    uint32_t moved = 0;              // bytes
    uint64_t done_at = 0;            // S2MM: when the last write is answered; 0 while it goes on
    uint8_t* data = nullptr;         // where the next byte is, in the host's memory
    uint64_t reach = 0;              // how many bytes from there on are mapped

    bool interrupts() const { return state & control & INTERRUPTS; }

    void finish() {
        busy = false;
        state |= DONE_IRQ | IDLE;
        if (!(control & RUN)) halt();
    }

    void halt() {
        state = (state | HALTED) & ~IDLE;
        control &= ~RUN;
    }

    void fail(uint32_t error) {
        busy = false;
        state |= error | ERROR_IRQ;
        halt();
    }
};

template <class Top>
struct StreamBench final : Bench<Top> {
    using Base = Bench<Top>;
    using Base::broken, Base::dice, Base::fault, Base::last_transfer, Base::memory, Base::message;
    using Base::read_latency, Base::reset, Base::status, Base::tick, Base::top, Base::write_latency;
    static constexpr uint32_t BEAT = sizeof(Top::in_r_TDATA);

    Channel mm2s, s2mm;
    uint32_t length_mask = (1u << 26) - 1;
    bool ends_packets = true;  // the last beat of a transfer has TLAST
    bool shown = false;
    struct Held {
        bool valid = false, last = false;
        uint8_t keep = 0, data[BEAT] = {};
        bool operator==(const Held&) const = default;
    } held;

    StreamBench() { reset(); }

    void forget() override {
        mm2s = s2mm = Channel{};
        shown = false;
        held = Held{};
    }

    void remapped() override { mm2s.reach = s2mm.reach = 0; }

    // Returns whether that many bytes can be moved next; looks for the next region where one ends.
    bool reachable(Channel& channel, uint32_t size) {
        if (channel.reach < size) channel.reach = memory.reach(uint64_t(channel.address) + channel.moved, channel.data);
        return channel.reach >= size;
    }

    static void advance(Channel& channel, uint32_t size) {
        channel.moved += size;
        channel.data += size;
        channel.reach -= size;
    }

    void offer() override {
        Top& d = *top;
        if (!shown && mm2s.busy && status.now >= mm2s.due && dice.ready()) {
            const uint32_t left = mm2s.length - mm2s.moved, size = left < BEAT ? left : BEAT;
            if (reachable(mm2s, size)) {
                d.in_r_TDATA = 0;
                std::memcpy(&d.in_r_TDATA, mm2s.data, size);
                d.in_r_TKEEP = (1u << size) - 1;
                d.in_r_TLAST = ends_packets && size == left;
                shown = true;
            } else {
                fault(uint64_t(mm2s.address) + mm2s.moved, false);
                mm2s.fail(DECODE_ERROR);
            }
        }
        d.in_r_TVALID = shown;
        d.out_r_TREADY = s2mm.busy && !s2mm.done_at && status.now >= s2mm.due && dice.ready();
    }

    void transfer() override {
        Top& d = *top;
        if (shown && d.in_r_TREADY) {
            const uint32_t size = std::popcount(d.in_r_TKEEP);
            advance(mm2s, size);
            shown = false;
            ++status.read_beats;
            last_transfer = status.now;
            if (mm2s.moved == mm2s.length) mm2s.finish();
        }
        const bool taken = d.out_r_TVALID && d.out_r_TREADY;
        if (held.valid || d.out_r_TVALID) {
            Held now{bool(d.out_r_TVALID), bool(d.out_r_TLAST), uint8_t(d.out_r_TKEEP)};
            std::memcpy(now.data, &d.out_r_TDATA, BEAT);
            if (held.valid && !(now == held)) broken("out_r changed before it was accepted");
            const unsigned keep = now.keep;
            if (now.valid && ((keep & (keep + 1)) || (keep + 1 != 1u << BEAT && !now.last)))
                broken("out_r has a hole in TKEEP");
            held = taken ? Held{} : now;
        }
        if (taken) receive(std::popcount(d.out_r_TKEEP), d.out_r_TLAST);
        if (s2mm.done_at && status.now >= s2mm.done_at) {
            s2mm.length = s2mm.moved;
            s2mm.finish();
            s2mm.done_at = 0;
        }
    }

    void receive(uint32_t size, bool last) {
        const uint32_t left = s2mm.length - s2mm.moved, room = size < left ? size : left;
        last_transfer = status.now;
        ++status.write_beats;
        if (!reachable(s2mm, room)) {
            fault(uint64_t(s2mm.address) + s2mm.moved, true);
            return s2mm.fail(DECODE_ERROR);
        }
        std::memcpy(s2mm.data, &top->out_r_TDATA, room);
        advance(s2mm, room);
        if (size > room || (size == left && !last)) {  // more than was asked for
            fault(uint64_t(s2mm.address) + s2mm.moved, true);
            return s2mm.fail(INTERNAL_ERROR);
        }
        if (last) s2mm.done_at = status.now + write_latency;
    }

    uint32_t dma_read(uint32_t offset) {
        for (int i = 0; i < ACCESS_CLOCKS; ++i) tick();
        const Channel& channel = offset < S2MM ? mm2s : s2mm;
        switch (offset < S2MM ? offset : offset - S2MM) {
            case CR: return channel.control | ALWAYS;
            case SR: return channel.state;
            case ADDRESS: return channel.address;
            case LENGTH: return channel.length;
            default: return 0;
        }
    }

    void dma_write(uint32_t offset, uint32_t value) {
        for (int i = 0; i < ACCESS_CLOCKS; ++i) tick();
        if (offset >= END) return;
        const bool sends = offset < S2MM;
        Channel& channel = sends ? mm2s : s2mm;
        switch (sends ? offset : offset - S2MM) {
            case CR:
                if (value & RESET) return reset();
                channel.control = value & WRITABLE;
                if (value & RUN) {
                    // An error stays until a reset, and so does the halt that it brought.
                    if (channel.state & (INTERNAL_ERROR | DECODE_ERROR)) channel.control &= ~RUN;
                    else channel.state &= ~HALTED;
                } else if (!channel.busy) {
                    channel.halt();
                }
                return;
            case SR: channel.state &= ~(value & INTERRUPTS); return;
            case ADDRESS: channel.address = value; return;
            case LENGTH: return start(channel, value & length_mask, sends);
            default: return;
        }
    }

    void start(Channel& channel, uint32_t length, bool sends) {
        if (channel.busy) return;
        channel.length = length;
        if (!length || (channel.state & HALTED)) return;
        channel.state &= ~IDLE;
        channel.moved = 0;
        channel.reach = 0;
        channel.due = status.now + (sends ? read_latency : 0);
        channel.busy = true;
        last_transfer = status.now;
        // Without realignment an address between beats is undefined; a halt is the least surprising outcome.
        if (channel.address % BEAT) {
            fault(channel.address, !sends);
            channel.fail(INTERNAL_ERROR);
        }
    }

    Outcome run(uint64_t budget, uint64_t watchdog) {
        for (uint64_t i = 0; i < budget; ++i) {
            if (!message.empty()) return BROKEN;
            if (!mm2s.busy && !s2mm.busy) return DONE;
            if (status.now - last_transfer > watchdog) return HUNG;
            tick();
        }
        return message.empty() ? BUDGET : BROKEN;
    }
};

using Kernel = StreamBench<Vkernel>;

}  // namespace

#include "api.hpp"

PUBLIC void fk_dma_setup(Kernel* kernel, uint32_t length_bits, int ends_packets) {
    kernel->length_mask = (uint64_t(1) << length_bits) - 1;
    kernel->ends_packets = ends_packets;
}
PUBLIC int fk_dma_write(Kernel* kernel, uint32_t offset, uint32_t value) {
    return guarded(kernel, [&] { return kernel->dma_write(offset, value), DONE; });
}
PUBLIC int fk_dma_read(Kernel* kernel, uint32_t offset, uint32_t* value) {
    return guarded(kernel, [&] { return *value = kernel->dma_read(offset), DONE; });
}
// Bits: interrupts of MM2S, of S2MM, of the kernel; MM2S busy, S2MM busy.
PUBLIC uint32_t fk_dma_lines(Kernel* kernel) {
    return kernel->mm2s.interrupts() | kernel->s2mm.interrupts() << 1 | kernel->interrupt() << 2 |
           kernel->mm2s.busy << 3 | kernel->s2mm.busy << 4;
}
// Forgets the fault that the last status told of.
PUBLIC void fk_dma_forgive(Kernel* kernel) { kernel->status.fault = 0; }
PUBLIC void fk_dma_patience(Kernel* kernel) { kernel->last_transfer = kernel->status.now; }
