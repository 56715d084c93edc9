// Gumbo parses any bytes as HTML5, but its time grows with the square of the nesting (50 kB of "<div>" take 3 s, 250 kB 90 s) and
// its memory with unclosed formatting tags, and it knows no limits. It does take an allocator, and allocates at least once a tag. So
// the parse gets an arena that counts bytes and looks at the clock, and that leaves the parser by longjmp when a bound is passed:
// the frames skipped are C, and what they allocated is the arena's. The tree is never walked for freeing either.
#include <fmt/format.h>
#include <gumbo.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csetjmp>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "retrieval/extract.h"

namespace plimsoll::retrieval {
namespace {

constexpr std::size_t kMaxTreeBytes = 512u << 20;
constexpr std::chrono::seconds kMaxParseTime{5};
constexpr std::size_t kBlockBytes = 256u << 10;
constexpr unsigned kAllocationsPerLook = 256;  // at the clock

class Arena {
  public:
    std::jmp_buf escape;

    // Never returns nullptr: Gumbo does not check. Called from C only, with `escape` set.
    void* allocate(std::size_t size) {
        size = std::max<std::size_t>((size + alignof(std::max_align_t) - 1) & ~(alignof(std::max_align_t) - 1), alignof(std::max_align_t));
        if (used_ + size > kMaxTreeBytes || (++allocations_ % kAllocationsPerLook == 0 && deadline_.passed())) std::longjmp(escape, 1);
        if (size > left_) add_block(size);
        std::byte* place = next_;
        next_ += size;
        left_ -= size;
        used_ += size;
        return place;
    }

  private:
    void add_block(std::size_t at_least) {
        const std::size_t size = std::max(at_least, kBlockBytes);
        blocks_.push_back(std::make_unique_for_overwrite<std::byte[]>(size));
        next_ = blocks_.back().get();
        left_ = size;
    }

    std::vector<std::unique_ptr<std::byte[]>> blocks_;
    std::byte* next_ = nullptr;
    std::size_t left_ = 0;
    std::size_t used_ = 0;
    unsigned allocations_ = 0;
    Deadline deadline_ = Deadline::after(kMaxParseTime);
};

void* allocate_in_arena(void* arena, std::size_t size) { return static_cast<Arena*>(arena)->allocate(size); }
void leave_to_arena(void* /*arena*/, void* /*place*/) {}

// The document's root, or nullptr when a bound was passed. Nothing here may have a destructor: longjmp would skip it.
const GumboNode* parse_in(Arena& arena, const char* text, std::size_t size) {
    if (setjmp(arena.escape) != 0) return nullptr;
    GumboOptions options = kGumboDefaultOptions;
    options.allocator = &allocate_in_arena;
    options.deallocator = &leave_to_arena;
    options.userdata = &arena;
    options.max_errors = 0;
    return gumbo_parse_with_options(&options, text, size)->root;
}

bool is_element(const GumboNode& node) { return node.type == GUMBO_NODE_ELEMENT || node.type == GUMBO_NODE_TEMPLATE; }

// Without what a reader of the page does not see, or does not read: menus, controls, the foot of the page.
constexpr std::array kHiddenTags = {GUMBO_TAG_HEAD,   GUMBO_TAG_SCRIPT, GUMBO_TAG_STYLE,   GUMBO_TAG_NOSCRIPT, GUMBO_TAG_TEMPLATE,
                                    GUMBO_TAG_NAV,    GUMBO_TAG_FOOTER, GUMBO_TAG_IFRAME,  GUMBO_TAG_OBJECT,   GUMBO_TAG_SVG,
                                    GUMBO_TAG_BUTTON, GUMBO_TAG_SELECT, GUMBO_TAG_TEXTAREA};

bool is_hidden(const GumboNode& node) {
    return std::ranges::find(kHiddenTags, node.v.element.tag) != kHiddenTags.end() ||
           gumbo_get_attribute(&node.v.element.attributes, "hidden") != nullptr;
}

int heading_level(const GumboNode& node) {
    const GumboTag tag = node.v.element.tag;
    return tag >= GUMBO_TAG_H1 && tag <= GUMBO_TAG_H6 ? tag - GUMBO_TAG_H1 + 1 : 0;
}

// Everything else stands in a paragraph of its own. Parts of lists and tables are here because they only start a line.
constexpr std::array kInlineTags = {GUMBO_TAG_A,     GUMBO_TAG_ABBR, GUMBO_TAG_B,    GUMBO_TAG_CITE,  GUMBO_TAG_CODE, GUMBO_TAG_DFN,
                                    GUMBO_TAG_EM,    GUMBO_TAG_FONT, GUMBO_TAG_I,    GUMBO_TAG_IMG,   GUMBO_TAG_KBD,  GUMBO_TAG_MARK,
                                    GUMBO_TAG_Q,     GUMBO_TAG_S,    GUMBO_TAG_SAMP, GUMBO_TAG_SMALL, GUMBO_TAG_SPAN, GUMBO_TAG_STRONG,
                                    GUMBO_TAG_SUB,   GUMBO_TAG_SUP,  GUMBO_TAG_TIME, GUMBO_TAG_TT,    GUMBO_TAG_U,    GUMBO_TAG_VAR,
                                    GUMBO_TAG_WBR,   GUMBO_TAG_BR,   GUMBO_TAG_LI,   GUMBO_TAG_DT,    GUMBO_TAG_DD,   GUMBO_TAG_THEAD,
                                    GUMBO_TAG_TBODY, GUMBO_TAG_TR,   GUMBO_TAG_TH,   GUMBO_TAG_TD};

bool is_block(const GumboNode& node) { return std::ranges::find(kInlineTags, node.v.element.tag) == kInlineTags.end(); }

// Text as a reader sees it, in the conventions of extract.h.
class Writer {
  public:
    void begin(const GumboNode& node) {
        const int level = heading_level(node);
        if (level > 0) {
            new_paragraph();
            out += std::string(static_cast<std::size_t>(level), '#') + " ";
            ++headings_;
        } else if (is_block(node)) {
            new_paragraph();
        }
        switch (node.v.element.tag) {
            case GUMBO_TAG_LI: new_line(), out += "- "; break;
            case GUMBO_TAG_BR:
            case GUMBO_TAG_TR:
            case GUMBO_TAG_DT:
            case GUMBO_TAG_DD: new_line(); break;
            case GUMBO_TAG_PRE: ++preformatted_; break;
            default: break;
        }
    }
    void end(const GumboNode& node) {
        if (heading_level(node) > 0) {
            --headings_;
            new_paragraph();
        } else if (is_block(node)) {
            new_paragraph();
        }
        if (node.v.element.tag == GUMBO_TAG_PRE) --preformatted_;
        if (node.v.element.tag == GUMBO_TAG_TD || node.v.element.tag == GUMBO_TAG_TH) out += " | ";
    }
    void text(std::string_view text) {
        if (preformatted_ > 0) return preformatted(text);
        for (const char c : text) {
            if (c != ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f')
                out += c;
            else if (!out.empty() && out.back() != ' ' && out.back() != '\n')
                out += ' ';
        }
    }
    std::string out;

  private:
    void preformatted(std::string_view text) {
        for (const char c : text) {
            if (out.empty() || out.back() == '\n') out += "    ";
            out += c;
        }
    }
    void new_line() {
        if (headings_ > 0) return;  // a heading is one line
        while (!out.empty() && out.back() == ' ') out.pop_back();
        if (!out.empty() && out.back() != '\n') out += '\n';
    }
    void new_paragraph() {
        if (headings_ > 0) return;
        new_line();
        if (!out.empty() && !out.ends_with("\n\n")) out += '\n';
    }

    int headings_ = 0;
    int preformatted_ = 0;
};

const GumboVector& children_of(const GumboNode& node) { return node.v.element.children; }

// Visits in document order without recursion: nesting may be as deep as the bounds on the parse allow.
std::string visible_text(const GumboNode& root) {
    struct Place {
        const GumboNode* node;
        unsigned next_child;
    };
    Writer writer;
    std::vector<Place> path{{&root, 0}};
    while (!path.empty()) {
        Place& place = path.back();
        if (place.next_child == children_of(*place.node).length) {
            writer.end(*place.node);
            path.pop_back();
            continue;
        }
        const auto& child = *static_cast<const GumboNode*>(children_of(*place.node).data[place.next_child++]);
        if (is_element(child)) {
            if (is_hidden(child)) continue;
            writer.begin(child);
            path.push_back({&child, 0});
        } else if (child.type == GUMBO_NODE_TEXT || child.type == GUMBO_NODE_WHITESPACE || child.type == GUMBO_NODE_CDATA) {
            writer.text(child.v.text.text);
        }
    }
    return std::move(writer.out);
}

const GumboNode* first_child(const GumboNode& node, GumboTag tag) {
    for (unsigned i = 0; i < children_of(node).length; ++i) {
        const auto* child = static_cast<const GumboNode*>(children_of(node).data[i]);
        if (is_element(*child) && child->v.element.tag == tag) return child;
    }
    return nullptr;
}

std::string title_of(const GumboNode& root) {
    const GumboNode* head = first_child(root, GUMBO_TAG_HEAD);
    const GumboNode* title = head ? first_child(*head, GUMBO_TAG_TITLE) : nullptr;
    if (!title || children_of(*title).length == 0) return "";
    Writer writer;
    writer.text(static_cast<const GumboNode*>(children_of(*title).data[0])->v.text.text);
    while (writer.out.ends_with(' ')) writer.out.pop_back();
    return std::move(writer.out);
}

std::string first_heading(const std::string& text) {
    const std::size_t mark = text.starts_with('#') ? 0 : text.find("\n#");
    const std::size_t words = text.find(' ', mark);
    if (mark == std::string::npos || words == std::string::npos) return "";
    return text.substr(words + 1, text.find('\n', words) - words - 1);
}

}  // namespace

Result<Document> parse_html(std::string_view text) {
    Arena arena;
    const GumboNode* root = parse_in(arena, text.data(), text.size());
    if (!root)
        return fail(ErrorCode::limit,
                    fmt::format("HTML needs more than {} MB or {} s to parse", kMaxTreeBytes >> 20, kMaxParseTime.count()));
    Document document;
    document.pages.push_back({1, visible_text(*root)});
    document.title = title_of(*root);
    if (document.title.empty()) document.title = first_heading(document.pages.front().text);
    return document;
}

}  // namespace plimsoll::retrieval
