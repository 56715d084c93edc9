#include "config/component.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace plimsoll::config {
namespace {

// Settings that NAT gives to every component and that change nothing here: labels, and what only its optimizer reads.
constexpr std::array<std::string_view, 7> kSharedKeys = {
    "name", "description", "verbose", "workflow_alias", "log_response_max_chars", "optimizable_params", "search_space"};

bool is_shared_key(std::string_view key) { return std::ranges::find(kSharedKeys, key) != kSharedKeys.end(); }

bool is_old_name(std::string_view type) { return type.starts_with("aiq"); }

std::string but_maybe(const std::string& word, const std::vector<std::string>& candidates) {
    const std::string near = did_you_mean(word, candidates);
    return near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near);
}

std::vector<std::string> types_of(const Catalogue& catalogue, const std::vector<std::string>& sections) {
    std::vector<std::string> types;
    for (const auto& info : catalogue)
        if (std::ranges::find(sections, info.section) != sections.end()) types.push_back(info.type);
    std::ranges::sort(types);
    return types;
}

const Member* find_type_key(const Node& node) {
    const auto* member = find_member(node, "_type");
    return member ? member : find_member(node, "type");
}

const Member* find_given(const Node& node, const FieldInfo& field) {
    if (const auto* member = find_member(node, field.name)) return member;
    for (const auto& alias : field.aliases)
        if (const auto* member = find_member(node, alias)) return member;
    return nullptr;
}

// A field that wants text gets an unquoted 1.10 as it stands in the file, not as the number it looks like.
json::value to_setting(const Node& node, const FieldInfo& field) {
    const bool wants_text = field.type == FieldType::text || field.type == FieldType::text_list || field.type == FieldType::text_lists;
    switch (node.kind) {
        case Node::Kind::scalar: return wants_text && !node.is_null() ? json::value(json::string(node.text)) : to_json(node);
        case Node::Kind::list: {
            json::array items;
            for (const auto& item : node.items) items.push_back(wants_text ? to_setting(item, field) : to_json(item));
            return items;
        }
        case Node::Kind::map: {
            json::object settings = to_json(node).as_object();
            if (field.type == FieldType::text_lists)
                for (const auto& member : node.members) settings[member.key] = to_setting(member.value, field);
            for (const auto& inner : field.members)
                if (const auto* given = find_given(node, inner)) settings[given->key] = to_setting(given->value, inner);
            return settings;
        }
    }
    return nullptr;
}

json::object to_settings(const Node& node, const Member* type_key) {
    json::object settings;
    for (const auto& member : node.members)
        if (&member != type_key) settings.emplace(member.key, to_json(member.value));
    return settings;
}

std::vector<std::string> names_in(const Node& root, const std::string& section) {
    std::vector<std::string> names;
    if (const auto* node = find(root, section))
        for (const auto& member : node->members) names.push_back(member.key);
    return names;
}

// "group__tool", or "group.tool" in older files.
bool names_a_group(const std::vector<std::string>& groups, const std::string& name) {
    return std::ranges::any_of(
        groups, [&](const std::string& group) { return name == group || name.starts_with(group + "__") || name.starts_with(group + "."); });
}

void check_reference(const Checking& checking, const std::string& section, const Node& value, const std::string& path) {
    if (value.kind != Node::Kind::scalar || value.is_null()) return;
    const auto names = names_in(checking.root, section);
    const bool found = std::ranges::find(names, value.text) != names.end();
    if (section == "functions" && !found && names_a_group(names_in(checking.root, "function_groups"), value.text)) {
        if (!checking.has_types("function_groups"))
            checking.problems.error(value.mark, path, fmt::format("\"{}\" is a function group, which this build does not run", value.text));
    } else if (!found) {
        checking.problems.error(value.mark, path,
                                fmt::format("there is no \"{}\" in {}{}", value.text, section, but_maybe(value.text, names)));
    } else if (!checking.has_types(section)) {
        checking.problems.error(value.mark, path, fmt::format("refers to {}, which this build does not run", section));
    }
}

void check_references(const Checking& checking, const ComponentInfo& info, const Node& node, const std::string& path) {
    for (const auto& field : info.fields) {
        if (field.refers_to.empty()) continue;
        const auto* given = find_given(node, field);
        if (!given) continue;
        const std::string field_path = join_path(path, given->key);
        check_reference(checking, field.refers_to, given->value, field_path);
        for (const auto& item : given->value.items) check_reference(checking, field.refers_to, item, field_path);
    }
}

// The member that a problem's path names ("filter.allowlist", aliases included), or the innermost of it that is there.
const Member* find_by_path(const Node& node, const std::vector<FieldInfo>& fields, std::string_view path) {
    const std::string name(path.substr(0, path.find('.')));
    const auto field = std::ranges::find(fields, name, &FieldInfo::name);
    const auto* given = field == fields.end() ? find_member(node, name) : find_given(node, *field);
    if (!given || path.size() == name.size() || field == fields.end()) return given;
    const auto* inner = find_by_path(given->value, field->members, path.substr(name.size() + 1));
    return inner ? inner : given;
}

// What becomes of a key that no field has.
enum class Unknown : std::uint8_t { reported, error, excused };

// Keys that nobody reads, and those that are read and left without effect.
void check_keys(const Checking& checking, const std::vector<FieldInfo>& fields, const Node& node, const std::string& path,
                const std::function<Unknown(const Member&, const std::vector<std::string>&)>& judge) {
    std::vector<std::string> known;
    for (const auto& field : fields) {
        known.push_back(field.name);
        known.insert(known.end(), field.aliases.begin(), field.aliases.end());
    }
    for (const auto& member : node.members) {
        if (std::ranges::find(known, member.key) != known.end()) continue;
        const Unknown unknown = judge(member, known);
        if (unknown != Unknown::excused) checking.unknown_key(member, path, known, unknown == Unknown::error);
    }
    for (const auto& field : fields) {
        const auto* given = find_given(node, field);
        if (!given || given->value.is_null()) continue;
        const std::string inner_path = join_path(path, given->key);
        if (!field.no_effect.empty()) checking.problems.warning(given->mark, inner_path, "has no effect: " + field.no_effect);
        if (field.type == FieldType::mapping)
            check_keys(checking, field.members, given->value, inner_path,
                       [&](const Member&, const auto&) { return field.is_closed ? Unknown::error : Unknown::reported; });
    }
}

void check_component_keys(const Checking& checking, const ComponentInfo& info, const Node& node, const std::string& path) {
    const bool typed = !info.type.empty();  // eval.general and the profiler are described alike but are no components
    const auto* type_key = find_type_key(node);
    check_keys(checking, info.fields, node, path, [&](const Member& member, const std::vector<std::string>& known) {
        if (typed && (&member == type_key || is_shared_key(member.key))) return Unknown::excused;
        if (!info.keeps_unknown) return Unknown::reported;
        const bool is_meant = std::ranges::find(info.passed_on, member.key) != info.passed_on.end();
        return is_meant || did_you_mean(member.key, known).empty() ? Unknown::excused : Unknown::reported;
    });
}

// Null takes a default away where there is one; elsewhere it says what leaving the key out says.
void drop_unset(const std::vector<FieldInfo>& fields, json::object& settings) {
    for (const auto& field : fields) {
        auto* value = settings.if_contains(field.name);
        if (!value) continue;
        if (value->is_null() && !(field.nullable && !field.default_value.is_null()))
            settings.erase(field.name);
        else if (field.type == FieldType::mapping && value->is_object())
            drop_unset(field.members, value->get_object());
    }
}

}  // namespace

bool Checking::has_types(std::string_view section) const {
    return std::ranges::any_of(catalogue, [&](const ComponentInfo& info) { return info.section == section; });
}

void Checking::unknown_key(const Member& member, const std::string& path, const std::vector<std::string>& known, bool is_error) const {
    std::string message = "is not a known setting" + but_maybe(member.key, known);
    if (is_error || options.strict)
        problems.error(member.mark, join_path(path, member.key), std::move(message));
    else
        problems.warning(member.mark, join_path(path, member.key), std::move(message));
}

const ComponentInfo* find_type(const Catalogue& catalogue, const std::vector<std::string>& sections, const std::string& written) {
    const auto lookup = [&](std::string_view type) -> const ComponentInfo* {
        for (const auto& info : catalogue)
            if (info.type == type && std::ranges::find(sections, info.section) != sections.end()) return &info;
        return nullptr;
    };
    if (const auto* info = lookup(written)) return info;
    std::string_view type = written;
    if (const auto slash = type.rfind('/'); slash != std::string_view::npos) {
        // Another package's class of the same short name is not ours.
        if (!type.starts_with("nat") && !is_old_name(type)) return nullptr;
        type.remove_prefix(slash + 1);
    }
    if (const auto* info = lookup(type)) return info;
    if (!type.starts_with("aiq_")) return nullptr;
    const auto* info = lookup("nat_" + std::string(type.substr(4)));
    return info ? info : lookup(type.substr(4));
}

json::object check_settings(const Checking& checking, const ComponentInfo& info, const Node& node, const std::string& path, Mark mark) {
    json::object settings = to_settings(node, find_type_key(node));
    for (const auto& field : info.fields)
        if (const auto* given = find_given(node, field)) settings[given->key] = to_setting(given->value, field);

    for (auto& problem : normalise(info, settings)) {
        if (problem.is_unknown) continue;  // check_keys() says it with what may have been meant
        const auto* given = find_by_path(node, info.fields, problem.field);
        const bool is_inner = problem.field.contains('.');
        checking.problems.error(given ? given->value.mark : mark, join_path(path, given && !is_inner ? given->key : problem.field),
                                std::move(problem.message));
    }
    check_component_keys(checking, info, node, path);
    check_references(checking, info, node, path);
    drop_unset(info.fields, settings);
    for (const auto& key : {"optimizable_params", "search_space"}) {
        // These never are settings of a model, whose unknown keys go to the server.
        if (std::ranges::find(info.fields, key, &FieldInfo::name) == info.fields.end()) settings.erase(key);
    }
    return settings;
}

Component check_component(const Checking& checking, const TypedNode& typed) {
    Component component{.section = typed.section, .name = typed.name, .known = false};
    const bool checked = checking.options.check_components;
    if (!typed.node.is_map() && !(typed.node.is_null() && !typed.default_type.empty())) {
        if (checked) checking.problems.error(typed.node.mark, typed.path, "must be a mapping with a _type");
        return component;
    }
    const auto* type_key = find_type_key(typed.node);
    const bool has_type = type_key && type_key->value.kind == Node::Kind::scalar && !type_key->value.is_null();
    component.type = has_type ? type_key->value.text : typed.default_type;
    component.settings = to_settings(typed.node, type_key);
    const auto* info = find_type(checking.catalogue, typed.catalogue_sections, component.type);
    component.known = info != nullptr;
    if (!checked) return component;

    if (!has_type && (type_key || typed.default_type.empty())) {
        checking.problems.error(type_key ? type_key->value.mark : typed.mark, join_path(typed.path, "_type"), "is required");
        return component;
    }
    if (std::ranges::none_of(typed.catalogue_sections, [&](const auto& section) { return checking.has_types(section); })) {
        checking.problems.warning(typed.mark, typed.path, fmt::format("this build does not run {}", typed.section));
        return component;
    }
    const Mark type_mark = has_type ? type_key->value.mark : typed.mark;
    if (!info) {
        const auto types = types_of(checking.catalogue, typed.catalogue_sections);
        checking.problems.error(
            type_mark, join_path(typed.path, "_type"),
            fmt::format("there is no type \"{}\"{} (known: {})", component.type, but_maybe(component.type, types), fmt::join(types, ", ")));
        return component;
    }
    if (is_old_name(component.type) && component.type != info->type)
        checking.problems.warning(type_mark, join_path(typed.path, "_type"), fmt::format("is an old name; write {}", info->type));
    component.type = info->type;
    component.settings = check_settings(checking, *info, typed.node, typed.path, typed.mark);
    return component;
}

}  // namespace plimsoll::config
