// A host in C++ on the native API of AMD's Xilinx Runtime: what a notebook does with pynq, without Python.
//
// It builds against AMD's runtime and, as it is, against the headers in standin/, which run the kernel's RTL.
//
//   host DESIGN.xclbin KERNEL EVENTS RESULTS --words-in N --words-out N --word BYTES
//        [--batches 1,16,256] [--repeats 8] [--device 0] [--log FILE]
//
// EVENTS and RESULTS are files of raw words. Without --batches all events go through in one call. With it,
// each size is called `repeats` times on the first events of the file, and RESULTS is that of the last call.
// The log gets one line a call: `call EVENTS T0 T1 T2 T3 T4 T5`, nanoseconds of the steady clock at its begin
// and after filling the buffer, sending it, the run, fetching the result and copying it out.
#include <xrt/xrt_bo.h>
#include <xrt/xrt_device.h>
#include <xrt/xrt_kernel.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

struct Options {
    std::string xclbin, kernel, events, results, log;
    size_t words_in = 0, words_out = 0, word = 0;
    std::vector<size_t> batches;
    unsigned repeats = 1, device = 0;
};

struct Call {
    size_t events;
    std::array<long long, 6> marks;
};

long long now() {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
}

std::vector<size_t> numbers(const std::string& list) {
    std::vector<size_t> found;
    std::istringstream text(list);
    for (std::string one; std::getline(text, one, ',');) found.push_back(std::stoul(one));
    return found;
}

Options parse(int argc, char** argv) {
    if (argc < 5) throw std::invalid_argument("DESIGN.xclbin, KERNEL, EVENTS and RESULTS are needed");
    Options options;
    options.xclbin = argv[1];
    options.kernel = argv[2];
    options.events = argv[3];
    options.results = argv[4];
    for (int i = 5; i < argc; i += 2) {
        const std::string name = argv[i];
        if (i + 1 == argc) throw std::invalid_argument(name + " needs a value");
        const std::string value = argv[i + 1];
        if (name == "--words-in") options.words_in = std::stoul(value);
        else if (name == "--words-out") options.words_out = std::stoul(value);
        else if (name == "--word") options.word = std::stoul(value);
        else if (name == "--batches") options.batches = numbers(value);
        else if (name == "--repeats") options.repeats = static_cast<unsigned>(std::stoul(value));
        else if (name == "--device") options.device = static_cast<unsigned>(std::stoul(value));
        else if (name == "--log") options.log = value;
        else throw std::invalid_argument("unknown option " + name);
    }
    if (!options.words_in || !options.words_out || !options.word)
        throw std::invalid_argument("--words-in, --words-out and --word are needed");
    return options;
}

std::vector<char> read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + path);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<Call> run_all(const Options& options) {
    const std::vector<char> events = read_file(options.events);
    const size_t slot_in = options.words_in * options.word, slot_out = options.words_out * options.word;
    const size_t count = events.size() / slot_in;
    const std::vector<size_t> batches = options.batches.empty() ? std::vector<size_t>{count} : options.batches;
    const size_t largest = *std::max_element(batches.begin(), batches.end());
    if (!largest || largest > count) throw std::runtime_error("EVENTS holds " + std::to_string(count) + " events");

    xrt::device device(options.device);
    const auto uuid = device.load_xclbin(options.xclbin);
    xrt::kernel kernel(device, uuid, options.kernel);
    std::vector<char> results(largest * slot_out);
    std::vector<Call> calls;
    for (const size_t batch : batches) {
        const size_t bytes_in = batch * slot_in, bytes_out = batch * slot_out;
        xrt::bo in(device, bytes_in, kernel.group_id(0)), out(device, bytes_out, kernel.group_id(1));
        char* const filled = in.map<char*>();
        const char* const fetched = out.map<char*>();
        const auto words_in = static_cast<uint32_t>(batch * options.words_in);
        const auto words_out = static_cast<uint32_t>(batch * options.words_out);
        results.resize(bytes_out);
        for (unsigned i = 0; i < options.repeats; ++i) {
            Call call{batch, {}};
            call.marks[0] = now();
            std::memcpy(filled, events.data(), bytes_in);
            call.marks[1] = now();
            in.sync(XCL_BO_SYNC_BO_TO_DEVICE);
            call.marks[2] = now();
            auto run = kernel(in, out, words_in, words_out);
            const auto state = run.wait();
            call.marks[3] = now();
            out.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
            call.marks[4] = now();
            std::memcpy(results.data(), fetched, bytes_out);
            call.marks[5] = now();
            if (state != ERT_CMD_STATE_COMPLETED)
                throw std::runtime_error("the run ended in state " + std::to_string(state) + ", not completed");
            calls.push_back(call);
        }
    }
    std::ofstream(options.results, std::ios::binary).write(results.data(), static_cast<long>(results.size()));
    return calls;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    try {
        options = parse(argc, argv);
    } catch (const std::exception& wrong) {
        std::cerr << "host: " << wrong.what() << '\n';
        return 2;
    }
    try {
        const std::vector<Call> calls = run_all(options);
        if (!options.log.empty()) {
            std::ofstream log(options.log);
            for (const Call& call : calls) {
                log << "call " << call.events;
                for (const long long mark : call.marks) log << ' ' << mark;
                log << '\n';
            }
        }
    } catch (const std::exception& failure) {
        std::cerr << "host: " << failure.what() << '\n';
        return 1;
    }
    return 0;
}
