// The simulator library of a kernel, loaded while the program runs, and the record of what the card did.
#pragma once
#include <dlfcn.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace xrt::standin {

class timeline {
    struct line {
        const char* kind;
        long long begin, end;
        uint64_t amount;
    };
    std::mutex lock_;
    std::vector<line> lines_;

    timeline() { lines_.reserve(1 << 16); }
    ~timeline() {
        const char* path = std::getenv("FPGACLASS_TIMELINE");
        if (!path) return;
        std::ofstream file(path);
        for (const line& one : lines_)
            file << one.kind << ' ' << one.begin << ' ' << one.end << ' ' << one.amount << '\n';
    }

  public:
    static timeline& get() {
        static timeline only;
        return only;
    }
    static long long now() {
        const auto since = std::chrono::steady_clock::now().time_since_epoch();
        return std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
    }
    void add(const char* kind, long long begin, long long end, uint64_t amount) {
        const std::lock_guard<std::mutex> guard(lock_);
        lines_.push_back({kind, begin, end, amount});
    }
};

enum class outcome : int { done = 0, budget = 1, hung = 2, bus_fault = 3, broken = 4 };

// The fk_* functions of a library that fpgaclass.card compiles.
struct kernel_library {
    void* (*make)();
    void (*free)(void*);
    int (*reset)(void*);
    void (*memory)(void*, uint32_t, uint32_t, uint32_t, uint64_t, int);
    void (*unmap_all)(void*);
    void (*map)(void*, uint64_t, uint64_t, void*);
    int (*write)(void*, uint32_t, uint32_t);
    int (*read)(void*, uint32_t, uint32_t*);
    int (*run)(void*, uint64_t, uint64_t);
    void (*status)(void*, uint64_t*);
    const char* (*message)(void*);

    static const kernel_library& get() {
        static const kernel_library only;
        return only;
    }

  private:
    kernel_library() {
        const char* path = std::getenv("FPGACLASS_KERNEL");
        if (!path) throw std::runtime_error("FPGACLASS_KERNEL does not name a compiled kernel");
        void* const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (!library) throw std::runtime_error(std::string("the kernel cannot be loaded: ") + dlerror());
        find(library, "fk_new", make);
        find(library, "fk_free", free);
        find(library, "fk_reset", reset);
        find(library, "fk_memory", memory);
        find(library, "fk_unmap_all", unmap_all);
        find(library, "fk_map", map);
        find(library, "fk_write", write);
        find(library, "fk_read", read);
        find(library, "fk_run", run);
        find(library, "fk_status", status);
        find(library, "fk_message", message);
    }
    template <class Function>
    static void find(void* library, const char* name, Function& into) {
        into = reinterpret_cast<Function>(dlsym(library, name));
        if (!into) throw std::runtime_error(std::string(name) + " is missing in the kernel's library");
    }
};

// One instance of a kernel's RTL.
class rtl {
    static constexpr uint64_t FOREVER = uint64_t(1) << 40;
    const kernel_library& lib_ = kernel_library::get();
    void* const handle_ = lib_.make();

    uint64_t count(size_t index) const {
        uint64_t status[32] = {};  // longer than the library's structure, whose first fields are stable
        lib_.status(handle_, status);
        return status[index];
    }

  public:
    rtl() {
        if (!handle_) throw std::runtime_error("the kernel's RTL fails as it starts");
        lib_.memory(handle_, 48, 24, 0, 0, 1);
    }
    rtl(const rtl&) = delete;
    ~rtl() { lib_.free(handle_); }

    void unmap_all() { lib_.unmap_all(handle_); }
    void map(uint64_t address, std::vector<char>& memory) {
        lib_.map(handle_, address, memory.size(), memory.data());
    }
    void write(uint32_t offset, uint32_t value) { lib_.write(handle_, offset, value); }
    uint32_t read(uint32_t offset) {
        uint32_t value = 0;
        lib_.read(handle_, offset, &value);
        return value;
    }
    void reset() { lib_.reset(handle_); }
    uint64_t cycles() const { return count(1); }
    outcome run() {
        const char* limit = std::getenv("FPGACLASS_WATCHDOG");
        return outcome(lib_.run(handle_, FOREVER, limit && *limit ? std::stoull(limit) : 1000000));
    }
    std::string explain(outcome how) const {
        if (how == outcome::bus_fault) {
            char address[32];
            std::snprintf(address, sizeof address, "%#llx", static_cast<unsigned long long>(count(7)));
            return std::string("nothing answers at ") + address + " (AXI DECERR)";
        }
        if (how == outcome::hung) return "hangs: not done, and nothing moves any more";
        return lib_.message(handle_);
    }
};

}  // namespace xrt::standin
