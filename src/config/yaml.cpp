#include "config/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <map>
#include <set>
#include <sstream>

namespace plimsoll::config {
namespace {

// A flow list like [${A}, b] or a text like ${A:?must be: set} is fine to NAT, which expands before it parses; to YAML the braces are a
// mapping and some of the rest is punctuation. What YAML would take so goes through the parser as control characters, which no valid
// text holds.
constexpr std::string_view kShown = "{}?,[]:";
constexpr std::string_view kHidden = "\x01\x02\x03\x04\x05\x06\x07";
static_assert(kShown.size() == kHidden.size());
constexpr char kOpen = kHidden[0];
constexpr char kClose = kHidden[1];

void replace_each(std::string& text, std::size_t begin, std::size_t end, std::string_view from, std::string_view to) {
    for (std::size_t at = begin; at < end; ++at)
        if (const std::size_t index = from.find(text[at]); index != std::string_view::npos) text[at] = to[index];
}

std::string hide_expressions(std::string_view text) {
    std::string out(text);
    std::vector<std::size_t> open;  // expressions not closed yet; none reaches over a quote or a line's end
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '\n' || c == '"' || c == '\'') {
            open.clear();
        } else if (c == '{' && at > 0 && text[at - 1] == '$') {
            open.push_back(at);
        } else if (c == '}' && !open.empty()) {
            out[open.back()] = kOpen;
            out[at] = kClose;
            if (open.size() == 1) replace_each(out, open[0] + 1, at, kShown.substr(2), kHidden.substr(2));
            open.pop_back();
        }
    }
    return out;
}

// The parser takes a quoted scalar that runs to the end of the file for a complete one when a line break comes last. A
// comment after it changes no document and makes the parser say that the quote is open.
void guard_end(std::string& text) {
    const std::size_t end = text.find_last_not_of(" \t");
    if (end != std::string::npos && text[end] == '\n') text += end + 1 == text.size() ? "#" : "\n#";
}

// Control characters elsewhere come from escapes like "\x03" and stay.
std::string show_expressions(std::string text) {
    constexpr std::string_view kBegin = "$\x01";
    for (std::size_t begin = text.find(kBegin); begin != std::string::npos; begin = text.find(kBegin, begin)) {
        std::size_t end = begin + 1;
        int depth = 0;
        do {
            depth += text[end] == kOpen ? 1 : text[end] == kClose ? -1 : 0;
            ++end;
        } while (end < text.size() && depth > 0);
        replace_each(text, begin, end, kHidden, kShown);
    }
    return text;
}

// Length of the UTF-8 character at the front, 0 when it is none (overlong, surrogate, beyond U+10FFFF, cut off).
std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xC0) != 0x80) return 0;
    if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F)) return 0;
    if ((first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F)) return 0;
    return length;
}

// The first byte that YAML does not allow (not UTF-8, or a control character).
std::optional<Mark> find_bad_byte(std::string_view text, int source) {
    int line = 1;
    std::size_t line_start = 0;
    for (std::size_t at = 0; at < text.size();) {
        const auto c = static_cast<unsigned char>(text[at]);
        const std::size_t length = utf8_length(text.substr(at));
        if (length == 0 || c == 0x7F || (c < 0x20 && c != '\n' && c != '\t' && c != '\r'))
            return Mark{source, line, static_cast<int>(at - line_start) + 1};
        at += length;
        if (c == '\n') {
            ++line;
            line_start = at;
        }
    }
    return std::nullopt;
}

struct Size {
    std::size_t nodes = 0;
    std::size_t bytes = 0;
    std::size_t depth = 0;
};

Size measure(const Node& node) {
    Size size{1, node.text.size(), 1};
    const auto add = [&size](const Size& child, std::size_t key_bytes) {
        size.nodes += child.nodes;
        size.bytes += child.bytes + key_bytes;
        size.depth = std::max(size.depth, child.depth + 1);
    };
    for (const auto& item : node.items) add(measure(item), 0);
    for (const auto& member : node.members) add(measure(member.value), member.key.size());
    return size;
}

// Builds the tree from the parser's events. What is wrong is thrown as the parser's own exception, so that the edge below
// sees one kind.
class TreeBuilder : public YAML::EventHandler {
  public:
    TreeBuilder(int source, Problems& problems) : source_(source), problems_(problems) {}

    Node take_root() { return std::move(root_); }

    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add({.mark = to_mark(mark)}, anchor, mark); }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        const auto found = anchors_.find(anchor);
        if (found == anchors_.end()) throw YAML::ParserException(mark, "an alias stands inside what it names");
        spend(found->second, mark);
        add(found->second, YAML::NullAnchor, mark);
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
        Node node{.mark = to_mark(mark), .plain = is_plain(tag, mark), .text = show_expressions(value)};
        spend(node, mark);
        add(std::move(node), anchor, mark);
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
        if (!is_untagged(tag) && tag != "tag:yaml.org,2002:seq") throw YAML::ParserException(mark, "unknown tag " + tag);
        open({.mark = to_mark(mark), .kind = Node::Kind::list}, anchor, mark);
    }

    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
        if (!is_untagged(tag) && tag != "tag:yaml.org,2002:map") throw YAML::ParserException(mark, "unknown tag " + tag);
        open({.mark = to_mark(mark), .kind = Node::Kind::map}, anchor, mark);
    }

    void OnSequenceEnd() override { close(); }
    void OnMapEnd() override { close(); }

  private:
    struct Open {
        Node node;
        YAML::anchor_t anchor;
        YAML::Mark mark;
        std::optional<Member> pending;  // a key whose value has not come yet
        std::set<std::string> keys;
        std::vector<Node> merged;  // values of `<<`
    };

    Mark to_mark(const YAML::Mark& mark) const { return {source_, mark.line + 1, mark.column + 1}; }

    static bool is_untagged(const std::string& tag) { return tag.empty() || tag == "?" || tag == "!"; }

    static bool is_plain(const std::string& tag, const YAML::Mark& mark) {
        constexpr std::string_view kCore = "tag:yaml.org,2002:";
        if (tag == "?") return true;
        if (tag == "!" || tag == "tag:yaml.org,2002:str") return false;
        const std::string name = tag.starts_with(kCore) ? tag.substr(kCore.size()) : "";
        if (name == "int" || name == "float" || name == "bool" || name == "null") return true;
        throw YAML::ParserException(mark, "unknown tag " + tag);
    }

    void spend(const Node& node, const YAML::Mark& mark) {
        const Size size = measure(node);
        nodes_ += size.nodes;
        bytes_ += size.bytes;
        if (nodes_ > kMaxNodes) throw YAML::ParserException(mark, fmt::format("more than {} values, aliases expanded", kMaxNodes));
        if (bytes_ > kMaxTextBytes) throw YAML::ParserException(mark, fmt::format("more than {} bytes, aliases expanded", kMaxTextBytes));
        if (stack_.size() + size.depth > kMaxDepth) throw YAML::ParserException(mark, fmt::format("nested deeper than {}", kMaxDepth));
    }

    void open(Node node, YAML::anchor_t anchor, const YAML::Mark& mark) {
        spend(node, mark);
        stack_.push_back({std::move(node), anchor, mark});
    }

    void close() {
        Open done = std::move(stack_.back());
        stack_.pop_back();
        for (auto& merged : done.merged)  // explicit keys win, then earlier mappings
            for (auto& member : merged.members)
                if (done.keys.insert(member.key).second) done.node.members.push_back(std::move(member));
        add(std::move(done.node), done.anchor, done.mark);
    }

    void add(Node node, YAML::anchor_t anchor, const YAML::Mark& mark) {
        if (anchor != YAML::NullAnchor) {
            spend(node, mark);  // the copy kept for aliases
            anchors_[anchor] = node;
        }
        if (stack_.empty()) {
            root_ = std::move(node);
            return;
        }
        Open& parent = stack_.back();
        if (parent.node.kind == Node::Kind::list) {
            parent.node.items.push_back(std::move(node));
        } else if (!parent.pending) {
            if (node.kind != Node::Kind::scalar || node.is_null()) throw YAML::ParserException(mark, "a key must be text");
            parent.pending = Member{std::move(node.text), node.mark, {}};
            parent.pending->value.plain = node.plain;  // tells the merge key << from a quoted one
        } else {
            add_member(parent, std::move(node), mark);
        }
    }

    void add_member(Open& parent, Node value, const YAML::Mark& mark) {
        Member member = *std::move(parent.pending);
        parent.pending.reset();
        if (member.key == "<<" && member.value.plain) {
            add_merged(parent, std::move(value), mark);
            return;
        }
        // The parser puts a value that is left out where the next token is.
        if (value.is_null() && value.mark.line != member.mark.line) value.mark = member.mark;
        member.value = std::move(value);
        if (!parent.keys.insert(member.key).second)
            problems_.error(member.mark, member.key, "is given twice in the same mapping");
        else
            parent.node.members.push_back(std::move(member));
    }

    static void add_merged(Open& parent, Node value, const YAML::Mark& mark) {
        std::vector<Node> mappings;
        if (value.kind == Node::Kind::list)
            mappings = std::move(value.items);
        else
            mappings.push_back(std::move(value));
        for (auto& mapping : mappings) {
            if (!mapping.is_map()) throw YAML::ParserException(mark, "<< takes a mapping or a list of mappings");
            parent.merged.push_back(std::move(mapping));
        }
    }

    int source_;
    Problems& problems_;
    Node root_;
    std::vector<Open> stack_;
    std::map<YAML::anchor_t, Node> anchors_;  // finished ones
    std::size_t nodes_ = 0;
    std::size_t bytes_ = 0;
};

}  // namespace

std::optional<Node> parse_yaml(std::string_view text, int source, Problems& problems) {
    if (text.size() > kMaxFileBytes) {
        problems.error({source}, "", fmt::format("is larger than {} bytes", kMaxFileBytes));
        return std::nullopt;
    }
    if (const auto bad = find_bad_byte(text, source)) {
        problems.error(*bad, "", "not a text: a byte that is not UTF-8, or a control character");
        return std::nullopt;
    }
    try {
        std::string prepared = hide_expressions(text);
        guard_end(prepared);
        std::istringstream stream(prepared);
        YAML::Parser parser(stream);
        TreeBuilder builder(source, problems);
        parser.HandleNextDocument(builder);
        Node root = builder.take_root();
        TreeBuilder second(source, problems);
        if (parser.HandleNextDocument(second)) {
            problems.error(second.take_root().mark, "", "a second document; a configuration is one");
            return std::nullopt;
        }
        return root;
    } catch (const YAML::Exception& error) {
        const bool has_mark = !error.mark.is_null();
        problems.error(has_mark ? Mark{source, error.mark.line + 1, error.mark.column + 1} : Mark{source}, "", show_expressions(error.msg));
        return std::nullopt;
    }
}

}  // namespace plimsoll::config
