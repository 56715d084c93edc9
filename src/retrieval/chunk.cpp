#include "retrieval/chunk.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "retrieval/utf8.h"

namespace plimsoll::retrieval {
namespace {

constexpr std::size_t kMinTarget = 100;
constexpr std::size_t kMaxHeadingLevel = 6;
constexpr std::size_t kMaxHeadingBytes = 120;
constexpr std::size_t kMaxContextBytes = 200;  // of title and headings in embedding_text()
constexpr std::size_t kMaxItemDigits = 3;      // "2009. " is a year at the start of a line, not an item
constexpr std::string_view kCodeIndent = "    ";

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }
bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

std::string_view trim(std::string_view text) {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

// The smallest part that is not divided further, and what stands between it and the part before.
struct Piece {
    std::string text;
    std::string_view separator;
    std::size_t tokens = 0;
};

Piece make_piece(std::string_view text, std::string_view separator) { return {std::string(text), separator, estimate_tokens(text)}; }

bool fits(std::size_t bytes, std::size_t tokens) { return bytes <= kMaxChunkChars && tokens <= kMaxChunkTokens; }

std::size_t heading_level(std::string_view line) {
    const std::size_t level = line.find_first_not_of('#');
    return level != std::string_view::npos && level >= 1 && level <= kMaxHeadingLevel && line[level] == ' ' ? level : 0;
}

// Lines that stand for themselves instead of continuing the one above.
bool starts_item(std::string_view line) {
    if (line.starts_with("- ") || line.starts_with("* ") || line.starts_with("\u2022")) return true;
    if (line.starts_with('|') || line.ends_with('|')) return true;
    const std::size_t digits = std::min(line.find_first_not_of("0123456789"), line.size());
    return digits > 0 && digits <= kMaxItemDigits && digits + 1 < line.size() && (line[digits] == '.' || line[digits] == ')') &&
           line[digits + 1] == ' ';
}

// One past the end of the sentence that starts at `from`. A full stop ends one when white space and something other than a
// lower-case letter follow and the word before is not an abbreviation ("e.g.", "Fig.", one letter).
std::size_t sentence_end(std::string_view text, std::size_t from) {
    static constexpr std::array<std::string_view, 12> kAbbreviations = {"e.g", "i.e", "etc", "cf", "vs",  "Fig",
                                                                        "fig", "No",  "Dr",  "Mr", "Mrs", "al"};
    for (std::size_t i = from; i < text.size(); ++i) {
        if (text[i] != '.' && text[i] != '!' && text[i] != '?') continue;
        std::size_t end = i + 1;
        while (end < text.size() && std::string_view("\"')]").contains(text[end])) ++end;
        if (end == text.size()) break;
        if (!is_space(text[end])) continue;
        if (end + 1 < text.size() && std::islower(static_cast<unsigned char>(text[end + 1])) != 0) continue;
        const std::size_t space = text.rfind(' ', i);
        const std::size_t word_at = space == std::string_view::npos || space < from ? from : space + 1;
        const std::string_view word = text.substr(word_at, i - word_at);
        const bool initial = word.size() == 1 && is_letter(word[0]);
        if (text[i] == '.' && (initial || std::ranges::find(kAbbreviations, word) != kAbbreviations.end())) continue;
        return end;
    }
    return text.size();
}

// Length of the longest start of `word` that is one piece.
std::size_t cut_length(std::string_view word, std::size_t target) {
    std::size_t length = code_point_boundary(word, target);
    while (length > 1 && estimate_tokens(word.substr(0, length)) > kMaxChunkTokens) length = code_point_boundary(word, length / 2);
    return std::max<std::size_t>(length, 1);
}

// A sentence that is too long for any chunk, divided between words as near to `target` as they allow.
void append_divided(std::string_view sentence, std::string_view separator, std::size_t target, std::vector<Piece>& out) {
    Piece piece{"", separator, 0};
    const auto add = [&](std::string_view word) {
        const std::size_t tokens = estimate_tokens(word);
        if (!piece.text.empty() && (piece.text.size() + 1 + word.size() > target || piece.tokens + tokens > kMaxChunkTokens)) {
            out.push_back(std::move(piece));
            piece = {"", " ", 0};
        }
        if (!piece.text.empty()) piece.text += ' ';
        piece.text += word;
        piece.tokens += tokens;
    };
    while (!sentence.empty()) {
        std::string_view word = sentence.substr(0, sentence.find(' '));
        sentence.remove_prefix(std::min(word.size() + 1, sentence.size()));
        while (word.size() > target || estimate_tokens(word) > kMaxChunkTokens) {
            const std::size_t length = cut_length(word, target);
            add(word.substr(0, length));
            word.remove_prefix(length);
        }
        if (!word.empty()) add(word);
    }
    if (!piece.text.empty()) out.push_back(std::move(piece));
}

std::string squeeze(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (!is_space(c))
            out += c;
        else if (!out.empty() && out.back() != ' ')
            out += ' ';
    }
    if (out.ends_with(' ')) out.pop_back();
    return out;
}

// Lines that belong together (a paragraph or one list item), as sentences.
void append_sentences(std::string_view lines, std::string_view separator, std::size_t target, std::vector<Piece>& out) {
    const std::string text = squeeze(lines);
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = sentence_end(text, at);
        const std::string_view sentence = trim(std::string_view(text).substr(at, end - at));
        Piece piece = make_piece(sentence, at == 0 ? separator : " ");
        if (fits(piece.text.size(), piece.tokens))
            out.push_back(std::move(piece));
        else
            append_divided(sentence, piece.separator, target, out);
        at = end;
        while (at < text.size() && text[at] == ' ') ++at;
    }
}

// Fills chunks with pieces. A chunk never spans two pages or two sections.
class Cutter {
  public:
    Cutter(const Document& document, const ChunkOptions& options) : document_(document) {
        target_ = std::clamp(options.target_chars, kMinTarget, kMaxChunkChars);
        overlap_ = std::min(options.overlap_chars, target_ / 2);
    }

    void take_page(const Page& page) {
        page_ = page.number;
        section_from_ = chunks_.size();
        std::string_view text = page.text;
        while (!text.empty()) {
            const std::size_t end = std::min(text.find('\n'), text.size());
            take_line(text.substr(0, end));
            text.remove_prefix(std::min(end + 1, text.size()));
        }
        end_section();
    }

    std::vector<Chunk> finish() { return std::move(chunks_); }

  private:
    void take_line(std::string_view line) {
        const std::string_view body = trim(line);
        if (const std::size_t level = line.starts_with('#') ? heading_level(body) : 0) {
            end_section();
            headings_.resize(level - 1);
            headings_.emplace_back(body.substr(level + 1, code_point_boundary(body.substr(level + 1), kMaxHeadingBytes)));
        } else if (body.empty()) {
            end_lines();
            next_separator_ = "\n\n";
        } else if (line.starts_with(kCodeIndent)) {
            end_lines();
            take_code(line);
        } else {
            if (starts_item(body)) end_lines();
            lines_.append(body) += ' ';
        }
    }

    // Code keeps its line breaks and indentation as far as it fits.
    void take_code(std::string_view line) {
        while (is_space(line.back())) line.remove_suffix(1);
        Piece piece = make_piece(line, next_separator_);
        std::vector<Piece> pieces;
        if (fits(piece.text.size(), piece.tokens))
            pieces.push_back(std::move(piece));
        else
            append_divided(squeeze(line), piece.separator, target_, pieces);
        next_separator_ = "\n";
        for (Piece& each : pieces) add(std::move(each));
    }

    void end_lines() {
        std::vector<Piece> pieces;
        append_sentences(lines_, next_separator_, target_, pieces);
        if (!pieces.empty()) next_separator_ = "\n";
        lines_.clear();
        for (Piece& piece : pieces) add(std::move(piece));
    }

    static std::size_t size_with(std::size_t size, const Piece& piece) {
        return size + (size > 0 ? piece.separator.size() : 0) + piece.text.size();
    }

    void add(Piece piece) {
        if (fresh_ > 0 && (size_with(size_, piece) > target_ || tokens_ + piece.tokens > kMaxChunkTokens)) {
            emit();
            keep_overlap(piece);
        }
        append(std::move(piece));
        ++fresh_;
    }

    void append(Piece piece) {
        size_ = size_with(size_, piece);
        tokens_ += piece.tokens;
        pieces_.push_back(std::move(piece));
    }

    static std::string join(const std::vector<Piece>& pieces, std::size_t from) {
        std::string text;
        for (std::size_t i = from; i < pieces.size(); ++i) {
            if (!text.empty()) text += pieces[i].separator;
            text += pieces[i].text;
        }
        return text;
    }

    void emit() {
        Chunk chunk;
        chunk.document = document_.name;
        chunk.title = document_.title;
        chunk.page = page_;
        chunk.position = static_cast<int>(chunks_.size());
        chunk.text = join(pieces_, 0);
        chunk.heading = heading_path();
        chunks_.push_back(std::move(chunk));
    }

    // Leaves the last whole sentences for the next chunk, which starts with `next`.
    void keep_overlap(const Piece& next) {
        std::size_t from = pieces_.size(), bytes = 0, tokens = next.tokens;
        while (from > 1) {
            const Piece& piece = pieces_[from - 1];
            bytes += piece.text.size() + piece.separator.size();
            tokens += piece.tokens;
            if (bytes > overlap_ || !fits(bytes + next.text.size() + next.separator.size(), tokens)) break;
            --from;
        }
        std::vector<Piece> kept(std::make_move_iterator(pieces_.begin() + static_cast<std::ptrdiff_t>(from)),
                                std::make_move_iterator(pieces_.end()));
        clear();
        for (Piece& piece : kept) append(std::move(piece));
    }

    void end_section() {
        end_lines();
        if (fresh_ > 0 && !merge_tail()) emit();
        clear();
        section_from_ = chunks_.size();
        next_separator_ = "\n\n";
    }

    // A few words at the end of a section make a poor chunk; they go to the one before when there is room.
    bool merge_tail() {
        const std::size_t fresh_from = pieces_.size() - fresh_;
        const std::string tail = join(pieces_, fresh_from);
        if (chunks_.size() == section_from_ || tail.size() > target_ / 4) return false;
        std::string merged = chunks_.back().text + std::string(pieces_[fresh_from].separator) + tail;
        if (!fits(merged.size(), estimate_tokens(merged))) return false;
        chunks_.back().text = std::move(merged);
        return true;
    }

    void clear() {
        pieces_.clear();
        fresh_ = size_ = tokens_ = 0;
    }

    // The title is not repeated in the path.
    std::string heading_path() const {
        std::string path;
        for (const std::string& heading : headings_) {
            if (heading.empty() || heading == document_.title) continue;
            path += (path.empty() ? "" : " > ") + heading;
        }
        return path;
    }

    const Document& document_;
    std::size_t target_ = 0, overlap_ = 0;
    std::vector<Chunk> chunks_;
    int page_ = 1;
    std::size_t section_from_ = 0;  // first chunk of the open section
    std::vector<std::string> headings_;
    std::string lines_;  // of the open paragraph
    std::string_view next_separator_ = "\n\n";
    std::vector<Piece> pieces_;  // of the open chunk: overlap, then fresh ones
    std::size_t fresh_ = 0, size_ = 0, tokens_ = 0;
};

}  // namespace

std::vector<Chunk> chunk_document(const Document& document, const ChunkOptions& options) {
    Cutter cutter(document, options);
    for (const Page& page : document.pages) cutter.take_page(page);
    return cutter.finish();
}

std::string embedding_text(const Chunk& chunk) {
    std::string context = chunk.title;
    if (!chunk.heading.empty()) context += (context.empty() ? "" : " > ") + chunk.heading;
    context.resize(code_point_boundary(context, kMaxContextBytes));
    return context.empty() ? chunk.text : context + "\n" + chunk.text;
}

std::size_t estimate_tokens(std::string_view text) {
    std::size_t tokens = 0;
    for (std::size_t i = 0; i < text.size();) {
        std::size_t run = i;
        bool digits = false;
        while (run < text.size() && (is_letter(text[run]) || is_digit(text[run]))) digits |= is_digit(text[run++]);
        if (run > i) {
            const std::size_t bytes_per_token = digits ? 2 : 4;
            tokens += (run - i + bytes_per_token - 1) / bytes_per_token;
            i = run;
            continue;
        }
        if (!is_space(text[i]) && !is_continuation(text[i])) ++tokens;
        ++i;
    }
    return tokens;
}

}  // namespace plimsoll::retrieval
