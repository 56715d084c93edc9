#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "config/tree.h"

namespace plimsoll::config {
namespace {

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    for (;;) {
        const std::size_t at = text.find(separator);
        parts.emplace_back(text.substr(0, at));
        if (at == std::string_view::npos) return parts;
        text.remove_prefix(at + 1);
    }
}

std::string trim(std::string_view text) {
    constexpr std::string_view kBlank = " \t\r\n";
    const std::size_t begin = text.find_first_not_of(kBlank);
    if (begin == std::string_view::npos) return {};
    return std::string(text.substr(begin, text.find_last_not_of(kBlank) - begin + 1));
}

Node make_list(const std::string& value, Mark mark) {
    Node list{.mark = mark, .kind = Node::Kind::list};
    if (trim(value).empty()) return list;
    for (const auto& item : split(value, ',')) list.items.push_back(make_text(trim(item), mark));
    return list;
}

// `value` with the type of what is there, or what it must be.
std::expected<Node, std::string> convert(const Node& existing, const std::string& value, Mark mark) {
    if (existing.kind == Node::Kind::map) return std::unexpected("is a mapping: name one of its settings");
    if (existing.kind == Node::Kind::list) return make_list(value, mark);
    const json::value old_value = to_json(existing);
    Node plain{.mark = mark, .text = trim(value)};
    if (old_value.is_bool()) {
        std::ranges::transform(plain.text, plain.text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        if (plain.text != "true" && plain.text != "false") return std::unexpected("must be true or false");
        return plain;
    }
    const json::value new_value = read_plain(plain.text);
    if (old_value.is_int64()) {
        if (!new_value.is_int64()) return std::unexpected("must be a whole number, like what it replaces");
        return plain;
    }
    if (old_value.is_double()) {
        if (!new_value.is_number()) return std::unexpected("must be a number, like what it replaces");
        return plain;
    }
    return make_text(value, mark);
}

}  // namespace

void apply_override(Node& root, const Override& override, Problems& problems) {
    const Mark mark{problems.add_source("--override " + override.path)};
    const auto keys = split(override.path, '.');
    if (keys.size() > kMaxDepth - 1 || std::ranges::any_of(keys, &std::string::empty)) {
        problems.error(mark, "", "the path must be keys with dots between them");
        return;
    }
    Node* node = &root;
    for (const auto& key : keys) {
        if (node->is_null()) *node = {.mark = mark, .kind = Node::Kind::map};  // `eval:` with nothing below it
        if (!node->is_map()) {
            problems.error(mark, override.path, fmt::format("\"{}\" is inside what is no mapping", key));
            return;
        }
        if (!find_member(*node, key)) node->members.push_back({key, mark, {.mark = mark}});
        node = &find_member(*node, key)->value;
    }
    auto converted = convert(*node, override.value, mark);
    if (!converted) {
        problems.error(mark, override.path, converted.error());
        return;
    }
    *node = *std::move(converted);
}

}  // namespace plimsoll::config
