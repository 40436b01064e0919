// A kernel between an AXI4-Lite master and an AXI4 memory, as a C library.
#include <deque>

#include "bench.hpp"

namespace {

constexpr unsigned DECERR = 3;
constexpr size_t OPEN_BURSTS = 16;

struct Burst {
    uint64_t address, due;
    unsigned beats, id;
    uint8_t* data;  // null: nothing is mapped there
};

struct Answer {
    uint64_t due;
    unsigned id;
    bool fault;
};

template <class Top>
struct MemoryBench final : Bench<Top> {
    using Base = Bench<Top>;
    using Base::begun, Base::broken, Base::dice, Base::fault, Base::last_transfer, Base::memory, Base::message;
    using Base::read_latency, Base::reset, Base::status, Base::stop_on_fault, Base::tick, Base::top;
    using Base::write_latency;

    std::deque<Burst> reads, writes;
    std::deque<Answer> answers;
    bool r_shown = false, b_shown = false;
    struct Held {
        bool valid = false;
        uint64_t address = 0;
        unsigned length = 0;
    } ar_held, aw_held;
    bool w_held = false;
    uint8_t w_held_data[sizeof(Top::m_axi_gmem_WDATA)];

    static constexpr uint64_t BEAT = sizeof(Top::m_axi_gmem_RDATA);

    MemoryBench() { reset(); }

    void forget() override {
        reads.clear();
        writes.clear();
        answers.clear();
        r_shown = b_shown = w_held = false;
        ar_held = aw_held = Held{};
    }

    // Checks that hold for every AXI4 master: bursts of whole beats inside 4 KB, and a VALID that waits.
    void check_address(const char* channel, Held& held, bool valid, bool handshake, uint64_t address,
                       unsigned length, unsigned size, unsigned burst) {
        if (held.valid && !(valid && address == held.address && length == held.length))
            broken(std::string(channel) + " changed before it was accepted");
        if (valid && !held.valid) {
            if ((uint64_t(1) << size) != BEAT || burst != 1 || address % BEAT)
                broken(std::string(channel) + " is not an aligned incrementing burst of whole beats");
            if ((address & 4095) + (length + 1) * BEAT > 4096)
                broken(std::string(channel) + " crosses 4 KB");
        }
        held = Held{valid && !handshake, address, length};
    }

    void store(const Burst& burst) {
        Top& d = *top;
        const auto* from = reinterpret_cast<const uint8_t*>(&d.m_axi_gmem_WDATA);
        uint64_t strobe = 0;
        std::memcpy(&strobe, &d.m_axi_gmem_WSTRB, sizeof d.m_axi_gmem_WSTRB);
        if (strobe == ~uint64_t(0) >> (64 - BEAT)) {
            std::memcpy(burst.data, from, BEAT);
            return;
        }
        for (uint64_t i = 0; i < BEAT; ++i)
            if (strobe >> i & 1) burst.data[i] = from[i];
    }

    void offer() override {
        Top& d = *top;
        const uint64_t now = status.now;

        d.m_axi_gmem_ARREADY = reads.size() < OPEN_BURSTS && dice.ready();
        d.m_axi_gmem_AWREADY = writes.size() < OPEN_BURSTS && answers.size() < OPEN_BURSTS && dice.ready();
        d.m_axi_gmem_WREADY = !writes.empty() && dice.ready();
        if (!r_shown && !reads.empty() && now >= reads.front().due && dice.ready()) {
            const Burst& burst = reads.front();
            if (burst.data) std::memcpy(&d.m_axi_gmem_RDATA, burst.data, BEAT);
            else std::memset(&d.m_axi_gmem_RDATA, 0xDB, BEAT);
            d.m_axi_gmem_RLAST = burst.beats == 1;
            if constexpr (requires { d.m_axi_gmem_RRESP; }) d.m_axi_gmem_RRESP = burst.data ? 0 : DECERR;
            if constexpr (requires { d.m_axi_gmem_RID; }) d.m_axi_gmem_RID = burst.id;
            r_shown = true;
        }
        if (!b_shown && !answers.empty() && now >= answers.front().due && dice.ready()) {
            if constexpr (requires { d.m_axi_gmem_BRESP; }) d.m_axi_gmem_BRESP = answers.front().fault ? DECERR : 0;
            if constexpr (requires { d.m_axi_gmem_BID; }) d.m_axi_gmem_BID = answers.front().id;
            b_shown = true;
        }
        d.m_axi_gmem_RVALID = r_shown;
        d.m_axi_gmem_BVALID = b_shown;
    }

    void transfer() override {
        Top& d = *top;
        const uint64_t now = status.now;

        const bool ar = d.m_axi_gmem_ARVALID && d.m_axi_gmem_ARREADY;
        if (d.m_axi_gmem_ARVALID || ar_held.valid)
            check_address("AR", ar_held, d.m_axi_gmem_ARVALID, ar, d.m_axi_gmem_ARADDR, d.m_axi_gmem_ARLEN,
                          d.m_axi_gmem_ARSIZE, d.m_axi_gmem_ARBURST);
        if (r_shown && d.m_axi_gmem_RREADY) {
            Burst& burst = reads.front();
            if (burst.data) burst.data += BEAT;
            if (--burst.beats == 0) reads.pop_front();
            r_shown = false;
            last_transfer = now;
            ++status.read_beats;
        }
        if (ar) {
            const unsigned beats = d.m_axi_gmem_ARLEN + 1;
            unsigned id = 0;
            if constexpr (requires { d.m_axi_gmem_ARID; }) id = d.m_axi_gmem_ARID;
            uint8_t* data = memory.find(d.m_axi_gmem_ARADDR, beats * BEAT);
            if (!data) fault(d.m_axi_gmem_ARADDR, false);
            reads.push_back({d.m_axi_gmem_ARADDR, now + read_latency, beats, id, data});
            last_transfer = now;
            ++status.read_bursts;
        }

        const bool aw = d.m_axi_gmem_AWVALID && d.m_axi_gmem_AWREADY;
        if (d.m_axi_gmem_AWVALID || aw_held.valid)
            check_address("AW", aw_held, d.m_axi_gmem_AWVALID, aw, d.m_axi_gmem_AWADDR, d.m_axi_gmem_AWLEN,
                          d.m_axi_gmem_AWSIZE, d.m_axi_gmem_AWBURST);
        if (w_held && !(d.m_axi_gmem_WVALID && !std::memcmp(w_held_data, &d.m_axi_gmem_WDATA, sizeof w_held_data)))
            broken("W changed before it was accepted");
        const bool w = d.m_axi_gmem_WVALID && d.m_axi_gmem_WREADY;
        w_held = d.m_axi_gmem_WVALID && !w;
        if (w_held) std::memcpy(w_held_data, &d.m_axi_gmem_WDATA, sizeof w_held_data);
        if (b_shown && d.m_axi_gmem_BREADY) {
            answers.pop_front();
            b_shown = false;
            last_transfer = now;
        }
        if (w) {
            Burst& burst = writes.front();
            if (burst.data) {
                store(burst);
                burst.data += BEAT;
            }
            --burst.beats;
            if (bool(d.m_axi_gmem_WLAST) != (burst.beats == 0)) broken("WLAST is not on the last beat of a burst");
            if (burst.beats == 0) {
                answers.push_back({now + write_latency, burst.id, burst.data == nullptr});
                writes.pop_front();
            }
            last_transfer = now;
            ++status.write_beats;
        }
        if (aw) {
            const unsigned beats = d.m_axi_gmem_AWLEN + 1;
            unsigned id = 0;
            if constexpr (requires { d.m_axi_gmem_AWID; }) id = d.m_axi_gmem_AWID;
            uint8_t* data = memory.find(d.m_axi_gmem_AWADDR, beats * BEAT);
            if (!data) fault(d.m_axi_gmem_AWADDR, true);
            writes.push_back({d.m_axi_gmem_AWADDR, now, beats, id, data});
            last_transfer = now;
            ++status.write_bursts;
        }
    }

    Outcome run(uint64_t budget, uint64_t watchdog) {
        for (uint64_t i = 0; i < budget && status.running; ++i) {
            tick();
            if (!message.empty()) return BROKEN;
            if (status.fault && stop_on_fault) return BUS_FAULT;
            if (status.running && status.now - last_transfer > watchdog) return HUNG;
        }
        if (!message.empty()) return BROKEN;
        if (status.fault && stop_on_fault) return BUS_FAULT;
        return status.running ? BUDGET : DONE;
    }
};

using Kernel = MemoryBench<Vkernel>;

}  // namespace

#include "api.hpp"
