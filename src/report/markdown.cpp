#include "report/markdown.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/canvas.h"

namespace plimsoll::report {
namespace {

enum class Block : std::uint8_t { none, paragraph, quote, list };

std::string_view tag_of(Block block) {
    switch (block) {
        case Block::paragraph: return "p";
        case Block::quote: return "blockquote";
        case Block::list: return "ul";
        case Block::none: return "";
    }
    return "";
}

class Renderer {
  public:
    void take_line(std::string_view line) {
        if (line.empty()) return enter(Block::none);
        if (line == "---") {
            enter(Block::none);
            out_ += "<hr>\n";
            return;
        }
        if (line.starts_with('#')) return heading(line);
        if (line.starts_with("> ")) return text_in(Block::quote, line.substr(2));
        if (line.starts_with("- ") || line.starts_with("* ")) {
            enter(Block::list);
            out_ += fmt::format("<li>{}</li>\n", escape_html(line.substr(2)));
            return;
        }
        // "[1] Title, file, p. 2": each source of the list on a line of its own.
        if (line.starts_with('[')) enter(Block::none);
        text_in(Block::paragraph, line);
    }

    std::string finish() {
        enter(Block::none);
        return std::move(out_);
    }

  private:
    void heading(std::string_view line) {
        enter(Block::none);
        const std::size_t level = std::min<std::size_t>(line.find_first_not_of('#'), 4);
        line.remove_prefix(std::min(line.size(), line.find_first_not_of("# ")));
        out_ += fmt::format("<h{0}>{1}</h{0}>\n", level, escape_html(line));
    }

    void text_in(Block block, std::string_view line) {
        const bool goes_on = open_ == block;
        enter(block);
        if (goes_on) out_ += '\n';
        out_ += escape_html(line);
    }

    void enter(Block block) {
        if (open_ == block) return;
        if (open_ != Block::none) out_ += fmt::format("</{}>\n", tag_of(open_));
        if (block != Block::none) out_ += fmt::format("<{}>", tag_of(block));
        open_ = block;
    }

    std::string out_;
    Block open_ = Block::none;
};

}  // namespace

std::string markdown_to_html(std::string_view markdown) {
    Renderer renderer;
    while (!markdown.empty()) {
        const std::size_t newline = markdown.find('\n');
        renderer.take_line(markdown.substr(0, newline));
        markdown.remove_prefix(newline == std::string_view::npos ? markdown.size() : newline + 1);
    }
    return renderer.finish();
}

}  // namespace plimsoll::report
