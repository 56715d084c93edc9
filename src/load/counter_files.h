// Small files of the kernel, as text and numbers.
#pragma once

#include <charconv>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plimsoll::load {

// To the file's end, since those of /proc have no size; cut after a mebibyte. Nothing when it cannot be read.
std::optional<std::string> read_text(const std::filesystem::path& path);

// A leading number; what follows does not matter.
template <class T>
std::optional<T> to_number(std::string_view text) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end == text.data()) return std::nullopt;
    return value;
}

std::vector<std::string> words_of(const std::string& text);

// "key value" lines.
std::map<std::string, std::uint64_t> read_pairs(const std::filesystem::path& path);

// Pressure stall information: microseconds in which something waited ("some") for it.
struct StallCounters {
    std::optional<std::uint64_t> cpu_us, memory_us, io_us;
};
// `suffix` of the three files: "" for /proc/pressure/cpu, ".pressure" for a control group's cpu.pressure.
StallCounters read_stall(const std::filesystem::path& folder, std::string_view suffix);

}  // namespace plimsoll::load
