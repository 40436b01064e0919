// The part of the native API of AMD's Xilinx Runtime that a host of one kernel needs, on a kernel's RTL.
//
// Names and behaviour are those of xrt::device, xrt::uuid, xrt::bo, xrt::kernel and xrt::run as documented by
// AMD; the code is our own. FPGACLASS_KERNEL names the library that fpgaclass.card has compiled from the RTL,
// FPGACLASS_TIMELINE a file that gets, at the end, a line for each thing that the card did:
// `KIND BEGIN END AMOUNT`, nanoseconds of the steady clock and bytes or cycles.
#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <functional>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "standin_kernel.h"
#include "standin_xclbin.h"

enum xclBOSyncDirection { XCL_BO_SYNC_BO_TO_DEVICE = 0, XCL_BO_SYNC_BO_FROM_DEVICE = 1 };
enum ert_cmd_state {
    ERT_CMD_STATE_NEW = 1,
    ERT_CMD_STATE_QUEUED = 2,
    ERT_CMD_STATE_RUNNING = 3,
    ERT_CMD_STATE_COMPLETED = 4,
    ERT_CMD_STATE_ERROR = 5,
    ERT_CMD_STATE_TIMEOUT = 8
};

namespace xrt {

using memory_group = uint32_t;

namespace standin {

constexpr uint64_t PAGE = 4096;
constexpr size_t PATTERN_LIMIT = 64u << 20;
constexpr char PATTERN = static_cast<char>(0xA5);  // DRAM is not empty when a card starts

struct buffer {
    uint64_t address;
    unsigned bank;
    std::vector<char> host, device;
};

// One line of the timeline, written when it goes out of scope.
class entry {
    const char* kind_;
    uint64_t amount_;
    long long begin_ = timeline::now();

  public:
    entry(const char* kind, uint64_t amount) : kind_(kind), amount_(amount) {}
    entry(const entry&) = delete;
    ~entry() { timeline::get().add(kind_, begin_, timeline::now(), amount_); }
};

struct launch {
    std::vector<uint32_t> offsets, values;
    std::mutex lock;
    std::condition_variable ended;
    ert_cmd_state state = ERT_CMD_STATE_NEW;

    void set(ert_cmd_state now) {
        const std::lock_guard<std::mutex> guard(lock);
        state = now;
        ended.notify_all();
    }
};

class card;

// A compute unit: its RTL, and the thread on which it runs beside the host.
class unit {
    card& card_;
    const kernel_description& about_;
    rtl rtl_;
    uint64_t mapped_ = ~uint64_t(0);
    std::mutex lock_;
    std::condition_variable woken_;
    std::deque<std::shared_ptr<launch>> jobs_;
    bool closed_ = false;
    std::thread thread_;

    inline void run(launch& job);

    void work() {
        for (;;) {
            std::unique_lock<std::mutex> guard(lock_);
            woken_.wait(guard, [this] { return closed_ || !jobs_.empty(); });
            if (closed_) return;
            const std::shared_ptr<launch> job = jobs_.front();
            guard.unlock();
            run(*job);
            guard.lock();
            jobs_.pop_front();
        }
    }

  public:
    unit(card& owner, const kernel_description& about)
        : card_(owner), about_(about), thread_([this] { work(); }) {}

    ~unit() {
        {
            const std::lock_guard<std::mutex> guard(lock_);
            closed_ = true;
        }
        woken_.notify_all();
        thread_.join();
    }

    size_t waiting() {
        const std::lock_guard<std::mutex> guard(lock_);
        return jobs_.size();
    }

    void submit(std::shared_ptr<launch> job) {
        const std::lock_guard<std::mutex> guard(lock_);
        jobs_.push_back(std::move(job));
        woken_.notify_all();
    }
};

class card {
    std::mutex lock_;
    std::vector<std::weak_ptr<buffer>> buffers_;
    uint64_t generation_ = 0;

    std::vector<std::shared_ptr<buffer>> live() {
        std::vector<std::shared_ptr<buffer>> found;
        std::vector<std::weak_ptr<buffer>> kept;
        for (auto& one : buffers_)
            if (auto alive = one.lock()) {
                found.push_back(alive);
                kept.push_back(one);
            }
        if (kept.size() != buffers_.size()) ++generation_;
        buffers_ = kept;
        return found;
    }

  public:
    xclbin_file loaded;
    std::vector<std::unique_ptr<unit>> units;

    void program(const std::string& path) {
        units.clear();
        loaded = read_xclbin(path);
        for (size_t i = 0; i < loaded.kernel.instances.size(); ++i)
            units.push_back(std::make_unique<unit>(*this, loaded.kernel));
    }

    std::shared_ptr<buffer> allocate(size_t size, unsigned bank) {
        const std::lock_guard<std::mutex> guard(lock_);
        if (bank >= loaded.banks.size()) throw std::runtime_error("no memory group " + std::to_string(bank));
        const bank_description& where = loaded.banks[bank];
        const uint64_t room = (size + PAGE - 1) / PAGE * PAGE + (size ? 0 : PAGE);
        uint64_t address = where.base;
        for (bool moved = true; moved;) {  // the first gap that is large enough
            moved = false;
            for (auto& other : live()) {
                const uint64_t end = other->address + (other->device.size() + PAGE - 1) / PAGE * PAGE;
                if (other->bank == bank && address < end && other->address < address + room) {
                    address = end;
                    moved = true;
                }
            }
        }
        if (address + room > where.base + where.size) throw std::runtime_error("bank " + where.tag + " is full");
        auto made = std::make_shared<buffer>();
        made->address = address;
        made->bank = bank;
        made->host.resize(room);
        made->device.assign(room, room <= PATTERN_LIMIT ? PATTERN : 0);
        buffers_.push_back(made);
        ++generation_;
        return made;
    }

    // Show the kernel the buffers of the banks that it is wired to, if they changed since `seen`.
    void map(rtl& kernel, uint64_t& seen) {
        const std::lock_guard<std::mutex> guard(lock_);
        const auto buffers = live();
        if (seen == generation_) return;
        seen = generation_;
        kernel.unmap_all();
        for (auto& one : buffers)
            if (loaded.kernel.reaches(one->bank)) kernel.map(one->address, one->device);
    }
};

inline void unit::run(launch& job) {
    card_.map(rtl_, mapped_);
    const long long begin = timeline::now();
    for (size_t i = 0; i < job.offsets.size(); ++i) rtl_.write(job.offsets[i], job.values[i]);
    rtl_.write(0, 1);
    const outcome how = rtl_.run();
    timeline::get().add("kernel", begin, timeline::now(), rtl_.cycles());
    if (how != outcome::done) {
        std::cerr << "host: " << about_.name << ": " << rtl_.explain(how) << '\n';
        rtl_.reset();
    } else {
        rtl_.read(0);  // ap_done clears as the scheduler reads it
    }
    job.set(how == outcome::done   ? ERT_CMD_STATE_COMPLETED
            : how == outcome::hung ? ERT_CMD_STATE_TIMEOUT
                                   : ERT_CMD_STATE_ERROR);
}

}  // namespace standin

class uuid {
    std::string text_;

  public:
    uuid() = default;
    explicit uuid(std::string text) : text_(std::move(text)) {}
    std::string to_string() const { return text_; }
    bool operator==(const uuid& other) const { return text_ == other.text_; }
    bool operator!=(const uuid& other) const { return text_ != other.text_; }
};

class device {
    std::shared_ptr<standin::card> card_;

  public:
    device() = default;
    device(unsigned int index) {
        const char* count = std::getenv("FPGACLASS_CARDS");
        if (index >= (count && *count ? std::stoul(count) : 1))
            throw std::runtime_error("there is no virtual card " + std::to_string(index));
        card_ = std::make_shared<standin::card>();
    }
    uuid load_xclbin(const std::string& path) {
        card_->program(path);
        return get_xclbin_uuid();
    }
    uuid get_xclbin_uuid() const { return uuid(card_->loaded.uuid); }
    const std::shared_ptr<standin::card>& standin_card() const { return card_; }
};

class bo {
    std::shared_ptr<standin::card> card_;  // a buffer outlives the variable that names its device
    std::shared_ptr<standin::buffer> buffer_;
    size_t size_ = 0;

  public:
    enum class flags : uint32_t { normal = 0 };
    bo() = default;
    bo(const device& where, size_t size, memory_group group)
        : card_(where.standin_card()), buffer_(card_->allocate(size, group)), size_(size) {}
    bo(const device& where, size_t size, flags, memory_group group) : bo(where, size, group) {}
    explicit operator bool() const { return bool(buffer_); }
    size_t size() const { return size_; }
    uint64_t address() const { return buffer_->address; }
    template <class Pointer>
    Pointer map() {
        return reinterpret_cast<Pointer>(buffer_->host.data());
    }
    void* map() { return buffer_->host.data(); }
    void sync(xclBOSyncDirection direction, size_t size, size_t offset) {
        if (offset + size > size_) throw std::runtime_error("sync beyond the end of a buffer");
        const bool there = direction == XCL_BO_SYNC_BO_TO_DEVICE;
        const standin::entry entry(there ? "to_device" : "from_device", size);
        char* const host = buffer_->host.data() + offset;
        char* const device = buffer_->device.data() + offset;
        std::memcpy(there ? device : host, there ? host : device, size);
    }
    void sync(xclBOSyncDirection direction) { sync(direction, size_, 0); }
    void write(const void* from, size_t size, size_t seek) { std::memcpy(inside(size, seek), from, size); }
    void write(const void* from) { write(from, size_, 0); }
    void read(void* into, size_t size, size_t skip) { std::memcpy(into, inside(size, skip), size); }
    void read(void* into) { read(into, size_, 0); }

  private:
    char* inside(size_t size, size_t offset) {
        if (offset + size > size_) throw std::runtime_error("access beyond the end of a buffer");
        return buffer_->host.data() + offset;
    }
};

class run;

class kernel {
    friend class run;
    std::shared_ptr<standin::card> card_;

  public:
    enum class cu_access_mode : uint8_t { exclusive = 0, shared = 1, none = 2 };
    kernel() = default;
    kernel(const device& where, const uuid& loaded, const std::string& name,
           cu_access_mode = cu_access_mode::shared)
        : card_(where.standin_card()) {
        if (loaded != where.get_xclbin_uuid()) throw std::runtime_error("another xclbin is loaded");
        if (name.substr(0, name.find(':')) != card_->loaded.kernel.name)
            throw std::runtime_error("no kernel " + name + " in the xclbin");
    }
    int group_id(int position) const { return card_->loaded.kernel.arguments.at(position).bank; }
    template <class... Args>
    run operator()(Args&&... args);
};

class run {
    std::shared_ptr<standin::card> card_;
    std::shared_ptr<standin::launch> launch_;
    std::vector<uint64_t> values_;
    std::vector<bo> held_;

    const standin::argument_description& about(int position) const {
        return card_->loaded.kernel.arguments.at(position);
    }
    void set(int position, uint64_t value) {
        if (values_.size() <= size_t(position)) values_.resize(position + 1);
        values_[position] = value;
    }

  public:
    run() = default;
    run(const kernel& of) : card_(of.card_), launch_(std::make_shared<standin::launch>()) {}

    void set_arg(int position, const bo& buffer) {
        if (!about(position).is_pointer) throw std::runtime_error("a buffer was given for a scalar argument");
        held_.push_back(buffer);
        set(position, buffer.address());
    }
    template <class Scalar, std::enable_if_t<std::is_arithmetic_v<std::decay_t<Scalar>>, int> = 0>
    void set_arg(int position, Scalar&& value) {
        if (about(position).is_pointer) throw std::runtime_error("a scalar was given for a buffer argument");
        set(position, static_cast<uint64_t>(value));
    }

    void start() {
        const standin::entry entry("launch", 1);
        launch_ = std::make_shared<standin::launch>();
        for (size_t i = 0; i < values_.size(); ++i)
            for (unsigned byte = 0; byte < about(i).size; byte += 4) {
                launch_->offsets.push_back(about(i).offset + byte);
                launch_->values.push_back(static_cast<uint32_t>(values_[i] >> 8 * byte));
            }
        launch_->state = ERT_CMD_STATE_QUEUED;
        auto* least = card_->units.front().get();
        for (auto& unit : card_->units)
            if (unit->waiting() < least->waiting()) least = unit.get();
        least->submit(launch_);
    }

    ert_cmd_state wait(const std::chrono::milliseconds& timeout = std::chrono::milliseconds{0}) const {
        const standin::entry entry("wait", 1);
        std::unique_lock<std::mutex> guard(launch_->lock);
        const auto over = [this] { return launch_->state > ERT_CMD_STATE_RUNNING; };
        if (timeout.count() == 0) launch_->ended.wait(guard, over);
        else launch_->ended.wait_for(guard, timeout, over);
        return launch_->state;
    }
    ert_cmd_state wait(unsigned int milliseconds) const { return wait(std::chrono::milliseconds{milliseconds}); }
    ert_cmd_state state() const {
        const std::lock_guard<std::mutex> guard(launch_->lock);
        return launch_->state;
    }
};

template <class... Args>
run kernel::operator()(Args&&... args) {
    run made(*this);
    int position = 0;
    (made.set_arg(position++, std::forward<Args>(args)), ...);
    made.start();
    return made;
}

}  // namespace xrt
