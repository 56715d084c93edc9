#include <algorithm>

#include "base/log.h"
#include "config/component.h"

namespace plimsoll::config {
namespace {

// Fields of the type that a mapping picks, wherever in the file it stands; null when it picks none we know.
const ComponentInfo* find_info(const json::object& object, const Catalogue& catalogue, const std::vector<std::string>& sections) {
    const auto* type = object.if_contains("_type");
    if (!type) type = object.if_contains("type");
    return type && type->is_string() ? find_type(catalogue, sections, std::string(type->get_string())) : nullptr;
}

const FieldInfo* find_field(const ComponentInfo* info, std::string_view key) {
    if (!info) return nullptr;
    for (const auto& field : info->fields)
        if (field.name == key || std::ranges::find(field.aliases, key) != field.aliases.end()) return &field;
    return nullptr;
}

// Booleans and null hold no secret, and of the numbers under such a name those of token_increment and its like count tokens.
bool is_masked(const json::value& value, std::string_view key) {
    return value.is_string() || (value.is_number() && !key.starts_with("token"));
}

void mask(json::value& value, std::string_view key, bool secret, const Catalogue& catalogue, const std::vector<std::string>& sections) {
    if (auto* array = value.if_array()) {
        for (auto& item : *array) mask(item, key, secret, catalogue, sections);
    } else if (auto* object = value.if_object()) {
        const auto* info = find_info(*object, catalogue, sections);
        for (auto& member : *object) {
            const auto* field = find_field(info, member.key());
            const bool is_number = field && (field->type == FieldType::integer || field->type == FieldType::number);
            const bool by_name = is_secret_name(member.key()) && !is_number;
            mask(member.value(), member.key(), secret || by_name || (field && field->secret), catalogue, sections);
        }
    } else if (secret && is_masked(value, key)) {
        value = kRedacted;
    } else if (const auto* text = value.if_string()) {
        value = mask_url_password({text->data(), text->size()});
    }
}

// What stands at "a.b.c"; null when nothing does.
const json::value* find_path(const json::object& root, std::string_view path) {
    const json::object* object = &root;
    for (;;) {
        const std::size_t dot = path.find('.');
        const auto* value = object->if_contains(path.substr(0, dot));
        if (!value || dot == std::string_view::npos) return value;
        object = value->if_object();
        if (!object) return nullptr;
        path.remove_prefix(dot + 1);
    }
}

bool holds_masked(const json::value& value) {
    if (const auto* array = value.if_array()) return std::ranges::any_of(*array, holds_masked);
    return value.is_string() && value.get_string() == kRedacted;
}

}  // namespace

json::object masked_root(const Config& config, const Catalogue& catalogue) {
    json::object root = config.root;
    for (auto& member : root) {
        std::vector<std::string> sections = {std::string(member.key())};
        if (member.key() == "workflow") sections.push_back("functions");
        if (member.key() == "general") sections = {"telemetry.tracing", "telemetry.logging", "front_end"};
        if (member.key() == "eval") sections = {"evaluators", "dataset"};
        mask(member.value(), member.key(), false, catalogue, sections);
    }
    return root;
}

std::vector<Override> masked_overrides(std::vector<Override> overrides, const Config& config, const Catalogue& catalogue) {
    const json::object root = masked_root(config, catalogue);
    for (Override& override : overrides) {
        const auto* shown = find_path(root, override.path);
        override.value = shown && holds_masked(*shown) ? std::string(kRedacted) : mask_url_password(override.value);
    }
    return overrides;
}

}  // namespace plimsoll::config
