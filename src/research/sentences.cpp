#include "research/sentences.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <map>
#include <set>

namespace plimsoll::research {
namespace {

constexpr std::size_t kMinQuote = 30;
constexpr std::size_t kMaxQuote = 320;
constexpr double kSameSentence = 0.6;
constexpr double kSupported = 0.6;
constexpr std::size_t kMinWords = 5;  // fewer say nothing that can be checked
constexpr double kRankDiscount = 0.25;
constexpr double kWorthQuoting = 0.5;  // of the best quote's score

bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }
bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }
bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || static_cast<unsigned char>(c) >= 0x80; }

std::string squeeze(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (!is_space(c))
            out += c;
        else if (!out.empty() && out.back() != ' ')
            out += ' ';
    }
    if (!out.empty() && out.back() == ' ') out.pop_back();
    return out;
}

bool is_prose(std::string_view line) {
    constexpr std::string_view kStructure = "#|>*-";
    return !line.empty() && kStructure.find(line.front()) == std::string_view::npos;
}

// Where the sentence that starts at `from` ends: one past its full stop, or the end of the text.
std::size_t sentence_end(std::string_view text, std::size_t from) {
    for (std::size_t i = from; i + 1 < text.size(); ++i) {
        if (text[i] != '.' && text[i] != '!' && text[i] != '?') continue;
        if (text[i + 1] != ' ') continue;
        const char next = i + 2 < text.size() ? text[i + 2] : 'A';
        const bool starts = std::isupper(static_cast<unsigned char>(next)) || is_digit(next) || next == '"' || next == '(' || next == '`';
        // "e.g. 5" and "vs. 3": an abbreviation has a full stop after one or two letters.
        const bool abbreviation = i >= 2 && (text[i - 2] == '.' || text[i - 2] == ' ') && !is_digit(text[i - 1]);
        if (starts && !abbreviation) return i + 1;
    }
    return text.size();
}

void append_sentences(std::string_view paragraph, std::vector<std::string>& out) {
    const std::string text = squeeze(paragraph);
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = sentence_end(text, at);
        out.push_back(squeeze(std::string_view(text).substr(at, end - at)));
        at = end;
        while (at < text.size() && text[at] == ' ') ++at;
    }
}

const std::set<std::string, std::less<>>& stop_words() {
    static const std::set<std::string, std::less<>> words = {
        "the",   "and",  "for",  "are",   "was",   "were",    "that",    "this",  "with",  "from",   "they",  "them",  "then",  "than",
        "have",  "has",  "had",  "not",   "but",   "its",     "can",     "will",  "would", "should", "may",   "each",  "when",  "what",
        "which", "who",  "how",  "why",   "does",  "did",     "into",    "over",  "under", "such",   "these", "those", "their", "there",
        "here",  "also", "one",  "all",   "any",   "more",    "most",    "other", "some",  "only",   "very",  "you",   "your",  "our",
        "use",   "used", "uses", "using", "about", "between", "because", "many",  "much",  "while",  "where", "being", "been"};
    return words;
}

std::set<std::string> word_set(std::string_view text) {
    const auto words = content_words(text);
    return {words.begin(), words.end()};
}

std::size_t shared(const std::set<std::string>& a, const std::set<std::string>& b) {
    return static_cast<std::size_t>(std::ranges::count_if(a, [&](const std::string& word) { return b.contains(word); }));
}

double jaccard(const std::set<std::string>& a, const std::set<std::string>& b) {
    if (a.empty() || b.empty()) return 0;
    const std::size_t both = shared(a, b);
    return static_cast<double>(both) / static_cast<double>(a.size() + b.size() - both);
}

bool ends_like_a_sentence(std::string_view text) {
    while (!text.empty() && (text.back() == '"' || text.back() == ')')) text.remove_suffix(1);
    return !text.empty() && (text.back() == '.' || text.back() == '!' || text.back() == '?');
}

bool is_number(const std::string& word) { return is_digit(word.front()); }

struct Candidate {
    Sentence sentence;
    std::set<std::string> words;
    double trust = 1;  // in the hit it is from: less for each rank below the first
    double score = 0;
};

std::vector<Candidate> candidates_of(const std::vector<retrieval::Hit>& hits) {
    std::vector<Candidate> out;
    for (std::size_t rank = 0; rank < hits.size(); ++rank)
        for (std::string& text : split_sentences(hits[rank].chunk.text)) {
            if (text.size() < kMinQuote || text.size() > kMaxQuote || !ends_like_a_sentence(text)) continue;
            Candidate candidate;
            candidate.words = word_set(text);
            candidate.sentence = {std::move(text), hits[rank].chunk.id, true};
            candidate.trust = 1 / (1 + kRankDiscount * static_cast<double>(rank));
            out.push_back(std::move(candidate));
        }
    return out;
}

}  // namespace

std::vector<std::string> split_sentences(std::string_view text) {
    std::vector<std::string> out;
    std::string paragraph;
    const auto flush = [&] {
        append_sentences(paragraph, out);
        paragraph.clear();
    };
    while (!text.empty()) {
        const std::size_t newline = text.find('\n');
        std::string_view line = text.substr(0, newline);
        text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
        while (!line.empty() && is_space(line.front())) line.remove_prefix(1);
        if (!is_prose(line)) {
            flush();
            continue;
        }
        paragraph += line;
        paragraph += ' ';
    }
    flush();
    return out;
}

std::vector<std::string> content_words(std::string_view text) {
    std::vector<std::string> words;
    std::string word;
    const auto flush = [&] {
        while (!word.empty() && word.back() == '.') word.pop_back();
        if (!word.empty() && (is_number(word) || (word.size() >= 3 && !stop_words().contains(word)))) words.push_back(word);
        word.clear();
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool inside_number = !word.empty() && is_number(word) && c == '.' && i + 1 < text.size() && is_digit(text[i + 1]);
        // "1,000" is one number.
        if (!word.empty() && is_number(word) && c == ',' && i + 1 < text.size() && is_digit(text[i + 1])) continue;
        if (is_word(c) || inside_number)
            word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        else
            flush();
    }
    flush();
    return words;
}

bool has_words(std::string_view text) { return std::ranges::any_of(text, is_word); }

std::vector<Sentence> pick_quotes(const Query& query, const std::vector<retrieval::Hit>& hits, int count, int per_chunk) {
    std::vector<Candidate> candidates = candidates_of(hits);
    std::map<std::string, int> frequency;
    for (const Candidate& candidate : candidates)
        for (const std::string& word : candidate.words) ++frequency[word];
    const std::set<std::string> wanted = word_set(query.text + " " + query.section);
    for (Candidate& candidate : candidates)
        for (const std::string& word : wanted)
            if (candidate.words.contains(word))
                candidate.score += candidate.trust * std::log(1 + static_cast<double>(candidates.size()) / frequency[word]);
    std::ranges::stable_sort(candidates, std::greater<>(), &Candidate::score);

    std::vector<Sentence> picked;
    std::vector<std::set<std::string>> picked_words;
    std::map<std::int64_t, int> from_chunk;
    for (const Candidate& candidate : candidates) {
        if (static_cast<int>(picked.size()) == count || candidate.score < kWorthQuoting * candidates.front().score) break;
        if (from_chunk[candidate.sentence.chunk_id] == per_chunk) continue;
        // Chunks overlap, so the same sentence comes up more than once.
        if (std::ranges::any_of(picked_words, [&](const auto& words) { return jaccard(words, candidate.words) > kSameSentence; })) continue;
        ++from_chunk[candidate.sentence.chunk_id];
        picked.push_back(candidate.sentence);
        picked_words.push_back(candidate.words);
    }
    return picked;
}

std::vector<Sentence> keep_supported(const std::vector<std::string>& written, const std::vector<retrieval::Hit>& hits,
                                     std::vector<std::string>& seen) {
    std::vector<std::set<std::string>> chunk_words;
    for (const retrieval::Hit& hit : hits) chunk_words.push_back(word_set(hit.chunk.text));
    std::vector<Sentence> kept;
    for (const std::string& text : written) {
        const std::set<std::string> words = word_set(text);
        if (hits.empty() || words.size() < kMinWords || !ends_like_a_sentence(text)) continue;
        if (std::ranges::any_of(seen, [&](const std::string& other) { return jaccard(word_set(other), words) > kSameSentence; })) continue;
        const auto best = std::ranges::max_element(chunk_words, {}, [&](const auto& chunk) { return shared(words, chunk); });
        if (static_cast<double>(shared(words, *best)) < kSupported * static_cast<double>(words.size())) continue;
        if (std::ranges::any_of(words, [&](const std::string& word) { return is_number(word) && !best->contains(word); })) continue;
        kept.push_back({text, hits[static_cast<std::size_t>(best - chunk_words.begin())].chunk.id, false});
        seen.push_back(text);
    }
    return kept;
}

}  // namespace plimsoll::research
