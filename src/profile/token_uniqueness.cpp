#include "profile/token_uniqueness.h"

#include <algorithm>
#include <iterator>

#include "profile/utf8.h"
#include "profile/word_tables.h"

namespace plimsoll::profile {
namespace {

bool is_word_character(char32_t c) {
    if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
    const auto after = std::ranges::upper_bound(kWordRanges, c, {}, &WordRange::first);
    return after != std::begin(kWordRanges) && c <= std::prev(after)->last;
}

char32_t to_lower(char32_t c) {
    if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 0x20 : c;
    const auto after = std::ranges::upper_bound(kLowerRanges, c, {}, &LowerRange::first);
    if (after == std::begin(kLowerRanges)) return c;
    const LowerRange& range = *std::prev(after);
    if (c > range.last || (c - range.first) % static_cast<char32_t>(range.stride) != 0) return c;
    return static_cast<char32_t>(static_cast<int>(c) + range.offset);
}

void append_utf8(std::string& out, char32_t c) {
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xc0 | c >> 6);
        out += static_cast<char>(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        out += static_cast<char>(0xe0 | c >> 12);
        out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
        out += static_cast<char>(0x80 | (c & 0x3f));
    } else {
        out += static_cast<char>(0xf0 | c >> 18);
        out += static_cast<char>(0x80 | (c >> 12 & 0x3f));
        out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
        out += static_cast<char>(0x80 | (c & 0x3f));
    }
}

struct Prompt {
    double time = 0;
    std::optional<std::string> text;  // nothing when the recorder left it out
};

// In the order of time, per model.
std::map<std::string, std::vector<Prompt>> collect_prompts(const std::vector<event::Step>& steps, TextOf text_of) {
    std::map<std::string, std::vector<Prompt>> prompts;
    for (const auto& step : steps) {
        const auto& payload = step.payload;
        if (payload.event_type != event::EventType{event::Category::llm, event::Phase::start}) continue;
        std::optional<std::string> text = "";
        if (payload.data) text = payload.data->input.is_null() ? std::nullopt : std::optional(text_of(payload.data->input));
        prompts[payload.name.value_or("")].push_back({payload.event_timestamp, std::move(text)});
    }
    for (auto& [model, list] : prompts) std::ranges::stable_sort(list, {}, &Prompt::time);
    return prompts;
}

}  // namespace

std::unordered_set<std::string> split_words(std::string_view text) {
    std::unordered_set<std::string> words;
    std::string word;
    for (std::size_t at = 0; at < text.size();) {
        const CodePoint c = decode_utf8(text, at);
        at += c.length;
        constexpr char32_t kDottedI = 0x130;  // its lower case is an i and a dot of its own, which is no word character
        if (c.value == kDottedI) word += 'i';
        if (c.value != kDottedI && is_word_character(c.value)) {
            append_utf8(word, to_lower(c.value));
        } else if (!word.empty()) {
            words.insert(std::move(word));
            word.clear();
        }
    }
    if (!word.empty()) words.insert(std::move(word));
    return words;
}

void TokenUniqueness::add(const std::vector<event::Step>& steps) {
    for (const auto& [model, prompts] : collect_prompts(steps, text_of_)) {
        if (prompts.size() < 2) continue;
        auto previous = split_words(prompts.front().text.value_or(""));
        for (std::size_t i = 1; i < prompts.size(); ++i) {
            auto current = split_words(prompts[i].text.value_or(""));
            const auto fresh = std::ranges::count_if(current, [&](const std::string& word) { return !previous.contains(word); });
            if (prompts[i - 1].text) new_words_[model].push_back(static_cast<double>(fresh));
            previous = std::move(current);
        }
    }
}

std::map<std::string, Percentiles> TokenUniqueness::compute() const {
    std::map<std::string, Percentiles> percentiles;
    for (const auto& [model, counts] : new_words_) percentiles[model] = compute_percentiles(counts);
    return percentiles;
}

}  // namespace plimsoll::profile
