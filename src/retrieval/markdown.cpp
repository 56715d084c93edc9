// Markdown is mostly text already. What goes is what a reader does not see: emphasis marks, link targets, HTML tags, fences, front
// matter. Line by line, so that any input costs linear time.
#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

#include "retrieval/extract.h"

namespace plimsoll::retrieval {
namespace {

constexpr std::size_t kMaxHeadingLevel = 6;
constexpr std::size_t kMaxLinkBytes = 2048;  // of a link's text, a link's target or a tag; a longer one is text

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r'; }
bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || static_cast<unsigned char>(c) >= 0x80; }

std::string_view trim(std::string_view text) {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

bool holds_only(std::string_view text, std::string_view characters) {
    return !text.empty() && text.find_first_not_of(characters) == std::string_view::npos;
}

// Position of `wanted` after `from`, close enough to belong to what started there.
std::size_t find_near(std::string_view text, char wanted, std::size_t from) {
    return text.substr(0, std::min(text.size(), from + kMaxLinkBytes)).find(wanted, from);
}

// One past a link's target, which starts at `at`: "(url)" or "[ref]"; `at` itself when there is none.
std::size_t skip_target(std::string_view text, std::size_t at) {
    if (at >= text.size() || (text[at] != '(' && text[at] != '[')) return at;
    const std::size_t end = find_near(text, text[at] == '(' ? ')' : ']', at);
    return end == std::string_view::npos ? at : end + 1;
}

// "<br>" and "</b>" are dropped, "<https://…>" loses its brackets, "a < b" stays. Returns one past what was consumed.
std::size_t strip_tag(std::string_view text, std::size_t at, std::string& out) {
    const char next = at + 1 < text.size() ? text[at + 1] : ' ';
    const std::size_t end = find_near(text, '>', at);
    if (end == std::string_view::npos || (!is_word(next) && next != '/' && next != '!')) {
        out += '<';
        return at + 1;
    }
    const std::string_view inside = text.substr(at + 1, end - at - 1);
    if (inside.starts_with("http") && !inside.contains(' ')) out += inside;
    return end + 1;
}

// "*" and "_" of emphasis, and the "!" of an image, which leaves its description. "a * b" and snake_case stay.
bool is_unseen_mark(char c, char next, std::string_view before) {
    if (c == '!') return next == '[';
    if (c == '*') return !is_space(next) || (!before.empty() && !is_space(before.back()));
    return c == '_' && (before.empty() || !is_word(before.back()) || !is_word(next));
}

// The line under a table's head, and where a reference link goes to.
bool is_unseen_line(std::string_view body) {
    return (body.contains('|') && holds_only(body, "|-: \t")) || (body.starts_with('[') && body.contains("]: "));
}

// Emphasis, code marks, links and tags of one line.
std::string strip_inline(std::string_view text) {
    std::string out;
    std::vector<std::size_t> labels;  // open '[' of links: where their text starts in `out`
    for (std::size_t i = 0; i < text.size();) {
        const char c = text[i];
        const char next = i + 1 < text.size() ? text[i + 1] : ' ';
        if (c == '\\' && std::ispunct(static_cast<unsigned char>(next)) != 0) {
            out += next;
            i += 2;
        } else if (c == '`') {
            // Inside code nothing is markup.
            const std::size_t end = find_near(text, '`', i + 1);
            if (end != std::string_view::npos) out += text.substr(i + 1, end - i - 1);
            i = end == std::string_view::npos ? i + 1 : end + 1;
        } else if (is_unseen_mark(c, next, out)) {
            ++i;
        } else if (c == '[') {
            labels.push_back(out.size());
            out += c;
            ++i;
        } else if (c == ']' && !labels.empty()) {
            const std::size_t after = skip_target(text, i + 1);
            if (after == i + 1 || out.size() - labels.back() > kMaxLinkBytes)
                out += c;
            else
                out.erase(labels.back(), 1);
            labels.pop_back();
            i = after;
        } else if (c == '<') {
            i = strip_tag(text, i, out);
        } else {
            out += c;
            ++i;
        }
    }
    return out;
}

std::size_t heading_level(std::string_view line) {
    const std::size_t level = std::min(line.find_first_not_of('#'), line.size());
    return level >= 1 && level <= kMaxHeadingLevel && (level == line.size() || is_space(line[level])) ? level : 0;
}

class Reader {
  public:
    void take(std::string_view line) {
        ++lines_;
        if (line.ends_with('\r')) line.remove_suffix(1);
        const std::string_view body = trim(line);
        const bool after_paragraph = std::exchange(is_paragraph_line_, false);
        if (in_front_matter_ || (lines_ == 1 && body == "---")) {
            in_front_matter_ = lines_ == 1 || body != "---";
        } else if (!fence_.empty()) {
            if (body.starts_with(fence_) && holds_only(body, fence_.substr(0, 1)))
                fence_ = {};
            else
                text_.append("    ").append(line) += '\n';
        } else if (in_comment_ || body.starts_with("<!--")) {
            in_comment_ = !body.contains("-->");
        } else if (body.starts_with("```") || body.starts_with("~~~")) {
            fence_ = body[0] == '`' ? "```" : "~~~";
        } else if (line.starts_with("    ") && !in_list_) {
            text_.append(line) += '\n';
        } else {
            take_prose(line, body, after_paragraph);
        }
    }

    Document finish() {
        Document document;
        document.title = std::move(title_);
        document.pages.push_back({1, std::move(text_)});
        return document;
    }

  private:
    void take_prose(std::string_view line, std::string_view body, bool after_paragraph) {
        while (body.starts_with('>')) body = trim(body.substr(1));
        if (const std::size_t level = heading_level(body)) {
            std::string_view words = trim(body.substr(level));
            while (words.ends_with('#')) words.remove_suffix(1);
            add_heading(level, strip_inline(trim(words)));
        } else if (after_paragraph && (holds_only(body, "=") || holds_only(body, "-"))) {
            // Setext: the line above was a heading.
            const std::string words = text_.substr(last_line_, text_.size() - last_line_ - 1);
            text_.resize(last_line_);
            add_heading(body[0] == '=' ? 1 : 2, words);
        } else if (holds_only(body, "-*_ \t") && body.size() >= 3) {
            add_line("");  // a rule ends the paragraph
        } else if (!is_unseen_line(body)) {
            add_line(marker_of(line, body));
            is_paragraph_line_ = !body.empty() && !in_list_;
        }
    }

    // A list item keeps its bullet as "- ".
    std::string marker_of(std::string_view line, std::string_view body) {
        const bool bullet = body.size() > 1 && std::string_view("-*+").contains(body[0]) && is_space(body[1]);
        if (bullet) {
            in_list_ = true;
            return "- " + strip_inline(trim(body.substr(1)));
        }
        const std::size_t digits = body.find_first_not_of("0123456789");
        const bool numbered = digits != 0 && digits != std::string_view::npos && body.substr(digits).starts_with(". ");
        if (numbered)
            in_list_ = true;
        else if (!body.empty() && !line.starts_with(' '))
            in_list_ = false;
        return strip_inline(body);
    }

    void add_heading(std::size_t level, const std::string& words) {
        in_list_ = false;
        if (words.empty()) return;
        if (title_.empty()) title_ = words;
        if (!text_.empty() && !text_.ends_with("\n\n")) text_ += '\n';
        text_ += std::string(level, '#') + " " + words + "\n\n";
    }

    void add_line(const std::string& line) {
        last_line_ = text_.size();
        text_ += line + "\n";
    }

    std::string text_;
    std::string title_;
    std::string_view fence_;  // the mark that closes the open block of code
    std::size_t lines_ = 0;
    std::size_t last_line_ = 0;
    bool in_front_matter_ = false;
    bool in_comment_ = false;
    bool in_list_ = false;
    bool is_paragraph_line_ = false;
};

}  // namespace

Document parse_markdown(std::string_view text) {
    Reader reader;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        reader.take(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return reader.finish();
}

}  // namespace plimsoll::retrieval
