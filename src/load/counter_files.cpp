#include "load/counter_files.h"

#include <fstream>
#include <sstream>

namespace plimsoll::load {
namespace {

constexpr std::size_t kMaxFileBytes = 1 << 20;

std::optional<std::uint64_t> read_total(const std::filesystem::path& path) {
    const auto text = read_text(path);
    if (!text || !text->starts_with("some ")) return std::nullopt;
    constexpr std::string_view kTotal = "total=";
    const std::size_t at = text->find(kTotal);
    if (at == std::string::npos) return std::nullopt;
    return to_number<std::uint64_t>(std::string_view(*text).substr(at + kTotal.size()));
}

}  // namespace

std::optional<std::string> read_text(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return std::nullopt;
    std::string text;
    char buffer[4096];
    while (text.size() < kMaxFileBytes && (file.read(buffer, sizeof buffer) || file.gcount() > 0))
        text.append(buffer, static_cast<std::size_t>(file.gcount()));
    return text;
}

std::vector<std::string> words_of(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> out;
    for (std::string word; stream >> word;) out.push_back(std::move(word));
    return out;
}

std::map<std::string, std::uint64_t> read_pairs(const std::filesystem::path& path) {
    std::map<std::string, std::uint64_t> out;
    const auto text = read_text(path);
    if (!text) return out;
    std::istringstream lines(*text);
    std::string key;
    std::uint64_t value = 0;
    while (lines >> key >> value) out[key] = value;
    return out;
}

StallCounters read_stall(const std::filesystem::path& folder, std::string_view suffix) {
    const auto file = [&](std::string_view what) { return folder / (std::string(what) + std::string(suffix)); };
    return {read_total(file("cpu")), read_total(file("memory")), read_total(file("io"))};
}

}  // namespace plimsoll::load
