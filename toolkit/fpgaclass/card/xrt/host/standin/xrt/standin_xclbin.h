// What a host needs of an xclbin: kernel, arguments, compute units and banks. Layouts as in AMD's xclbin.h.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace xrt::standin {

struct argument_description {
    std::string name;
    bool is_pointer;
    uint32_t offset, size;
    int bank;
};

struct kernel_description {
    std::string name;
    std::vector<argument_description> arguments;
    std::vector<std::string> instances;

    bool reaches(unsigned bank) const {
        for (const auto& argument : arguments)
            if (argument.is_pointer && argument.bank == int(bank)) return true;
        return false;
    }
};

struct bank_description {
    std::string tag;
    uint64_t base, size;
};

struct xclbin_file {
    std::string uuid;
    kernel_description kernel;
    std::vector<bank_description> banks;
};

class xclbin_reader {
    static constexpr size_t PLATFORM = 352, UUID = 416, COUNT = 448, TABLE = 456, ENTRY = 40;
    static constexpr uint32_t METADATA = 2, MEMORIES = 6, CONNECTIVITY = 7;
    std::string data_;
    std::map<uint32_t, std::pair<uint64_t, uint64_t>> sections_;

    template <class T>
    T get(size_t at) const {
        T value;
        if (at + sizeof value > data_.size()) throw std::runtime_error("the xclbin is cut short");
        std::memcpy(&value, data_.data() + at, sizeof value);
        return value;
    }
    std::pair<uint64_t, uint64_t> section(uint32_t kind) const {
        const auto found = sections_.find(kind);
        if (found == sections_.end() || found->second.first + found->second.second > data_.size())
            throw std::runtime_error("the xclbin is cut short");
        return found->second;
    }
    static std::string attribute(const std::string& tag, const std::string& name) {
        const size_t at = tag.find(' ' + name + "=\"");
        if (at == std::string::npos) throw std::runtime_error("the xclbin's metadata lack " + name);
        const size_t from = at + name.size() + 3;
        return tag.substr(from, tag.find('"', from) - from);
    }
    static std::vector<std::string> tags(const std::string& xml, const std::string& name) {
        std::vector<std::string> found;
        for (size_t at = 0; (at = xml.find('<' + name + ' ', at)) != std::string::npos; ++at)
            found.push_back(xml.substr(at, xml.find('>', at) - at));
        return found;
    }

    std::vector<bank_description> banks() const {
        std::vector<bank_description> found;
        const uint64_t start = section(MEMORIES).first;
        for (int i = 0; i < get<int32_t>(start); ++i) {
            const size_t at = start + 8 + 40 * i;
            get<uint64_t>(at + 32);
            found.push_back({data_.substr(at + 24, 16).c_str(), get<uint64_t>(at + 16), get<uint64_t>(at + 8) << 10});
        }
        return found;
    }
    std::map<int, int> connections() const {  // argument to bank; the same for all units
        std::map<int, int> found;
        const uint64_t start = section(CONNECTIVITY).first;
        for (int i = 0; i < get<int32_t>(start); ++i)
            found[get<int32_t>(start + 4 + 12 * i)] = get<int32_t>(start + 12 + 12 * i);
        return found;
    }
    kernel_description kernel() const {
        const auto [start, size] = section(METADATA);
        const std::string xml = data_.substr(start, size);
        const auto wired = connections();
        kernel_description made;
        for (const auto& tag : tags(xml, "kernel")) made.name = attribute(tag, "name");
        for (const auto& tag : tags(xml, "instance")) made.instances.push_back(attribute(tag, "name"));
        for (const auto& tag : tags(xml, "arg")) {
            const auto bank = wired.find(std::stoi(attribute(tag, "id")));
            made.arguments.push_back({attribute(tag, "name"), attribute(tag, "addressQualifier") == "1",
                                      uint32_t(std::stoul(attribute(tag, "offset"), nullptr, 0)),
                                      uint32_t(std::stoul(attribute(tag, "size"), nullptr, 0)),
                                      bank == wired.end() ? -1 : bank->second});
        }
        return made;
    }

  public:
    explicit xclbin_reader(const std::string& path) {
        std::ifstream file(path, std::ios::binary);
        if (!file) throw std::runtime_error("cannot read " + path);
        data_.assign(std::istreambuf_iterator<char>(file), {});
        if (data_.size() < TABLE || data_.compare(0, 7, "xclbin2") != 0)
            throw std::runtime_error(path + " is not an xclbin");
        if (std::string(data_.substr(PLATFORM, 64).c_str()).find(":virtual:") == std::string::npos)
            throw std::runtime_error(path + " is for a real card, and this host was built for the virtual one");
        for (uint32_t i = 0; i < get<uint32_t>(COUNT); ++i) {
            const size_t at = TABLE + ENTRY * i;
            sections_[get<uint32_t>(at)] = {get<uint64_t>(at + 24), get<uint64_t>(at + 32)};
        }
    }
    xclbin_file read() const {
        char text[33] = {};
        for (int i = 0; i < 16; ++i) std::snprintf(text + 2 * i, 3, "%02x", get<uint8_t>(UUID + i));
        return {text, kernel(), banks()};
    }
};

inline xclbin_file read_xclbin(const std::string& path) { return xclbin_reader(path).read(); }

}  // namespace xrt::standin
