#include "profile/token_uniqueness.h"

#include <algorithm>
#include <array>

#include "profile/utf8.h"

namespace plimsoll::profile {
namespace {

bool is_word_character(char32_t c) {
    if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
    constexpr std::u32string_view kLatin1Words = U"\u00aa\u00b2\u00b3\u00b5\u00b9\u00ba\u00bc\u00bd\u00be";
    if (c < 0xc0) return kLatin1Words.contains(c);
    struct Block {
        char32_t first, last;
    };
    constexpr std::array<Block, 11> kSeparators = {{{0xd7, 0xd7},          // multiplication sign
                                                    {0xf7, 0xf7},          // division sign
                                                    {0x2000, 0x206f},      // general punctuation
                                                    {0x20a0, 0x20cf},      // currencies
                                                    {0x2190, 0x245f},      // arrows, mathematics, technical signs
                                                    {0x2500, 0x2775},      // boxes, shapes, dingbats
                                                    {0x2794, 0x2bff},      // more arrows and shapes
                                                    {0x3000, 0x3004},      // ideographic space and punctuation
                                                    {0x3008, 0x3020},      // brackets
                                                    {0xfff0, 0xffff},      // specials
                                                    {0x1f000, 0x1f0ff}}};  // tiles and cards; pictographs follow
    constexpr Block kPictographs{0x1f300, 0x1faff};
    if (c >= kPictographs.first && c <= kPictographs.last) return false;
    return std::ranges::none_of(kSeparators, [c](const Block& block) { return c >= block.first && c <= block.last; });
}

char32_t to_lower(char32_t c) {
    if (c >= 'A' && c <= 'Z') return c + 0x20;
    if (c >= 0xc0 && c <= 0xde) return c + 0x20;    // Latin-1; the multiplication sign is no word character
    if (c >= 0x391 && c <= 0x3a9) return c + 0x20;  // Greek
    if (c >= 0x410 && c <= 0x42f) return c + 0x20;  // Cyrillic
    if (c >= 0x400 && c <= 0x40f) return c + 0x50;
    return c;
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
    std::string text;
};

// In the order of time, per model.
std::map<std::string, std::vector<Prompt>> collect_prompts(const std::vector<event::Step>& steps, TextOf text_of) {
    std::map<std::string, std::vector<Prompt>> prompts;
    for (const auto& step : steps) {
        const auto& payload = step.payload;
        if (payload.event_type != event::EventType{event::Category::llm, event::Phase::start}) continue;
        prompts[payload.name.value_or("")].push_back({payload.event_timestamp, payload.data ? text_of(payload.data->input) : ""});
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
        if (is_word_character(c.value)) {
            append_utf8(word, to_lower(c.value));
        } else if (!word.empty()) {
            words.insert(std::move(word));
            word.clear();
        }
    }
    if (!word.empty()) words.insert(std::move(word));
    return words;
}

std::map<std::string, Percentiles> compute_token_uniqueness(const TraceView& view, TextOf text_of) {
    std::map<std::string, std::vector<double>> counts;
    for (const auto& session : view.sessions) {
        for (const auto& [model, prompts] : collect_prompts(session.steps, text_of)) {
            if (prompts.size() < 2) continue;
            auto previous = split_words(prompts.front().text);
            for (std::size_t i = 1; i < prompts.size(); ++i) {
                auto current = split_words(prompts[i].text);
                const auto fresh = std::ranges::count_if(current, [&](const std::string& word) { return !previous.contains(word); });
                counts[model].push_back(static_cast<double>(fresh));
                previous = std::move(current);
            }
        }
    }
    std::map<std::string, Percentiles> percentiles;
    for (auto& [model, list] : counts) percentiles[model] = compute_percentiles(std::move(list));
    return percentiles;
}

}  // namespace plimsoll::profile
