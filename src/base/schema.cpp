#include "base/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

namespace plimsoll {

std::string_view to_string(FieldType type) {
    switch (type) {
        case FieldType::text: return "text";
        case FieldType::boolean: return "true or false";
        case FieldType::integer: return "whole number";
        case FieldType::number: return "number";
        case FieldType::text_list: return "list of text";
        case FieldType::any: return "any";
    }
    return "any";
}

namespace detail {

json::value to_value(const std::string& v) { return json::value(v); }
json::value to_value(bool v) { return v; }
json::value to_value(int v) { return v; }
json::value to_value(std::int64_t v) { return v; }
json::value to_value(double v) { return v; }
json::value to_value(const std::vector<std::string>& v) { return json::array(v.begin(), v.end()); }
json::value to_value(const json::value& v) { return v; }
void from_value(const json::value& v, std::string& out) { out = std::string(v.as_string()); }
void from_value(const json::value& v, bool& out) { out = v.as_bool(); }
void from_value(const json::value& v, int& out) { out = v.to_number<int>(); }
void from_value(const json::value& v, std::int64_t& out) { out = v.to_number<std::int64_t>(); }
void from_value(const json::value& v, double& out) { out = v.to_number<double>(); }
void from_value(const json::value& v, std::vector<std::string>& out) {
    out.clear();
    for (const auto& item : v.as_array()) out.emplace_back(item.as_string());
}
void from_value(const json::value& v, json::value& out) { out = v; }

}  // namespace detail

namespace {

bool to_text_value(json::value& value) {
    if (value.is_string()) return true;
    if (value.is_object() || value.is_array() || value.is_null()) return false;
    value = to_text(value);
    return true;
}

bool to_boolean(json::value& value) {
    if (value.is_bool()) return true;
    if (!value.is_string()) return false;
    std::string lower(value.get_string());
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    // NAT reads YAML 1.1, where yes, no, on and off are booleans.
    const bool yes = lower == "true" || lower == "yes" || lower == "on";
    if (!yes && lower != "false" && lower != "no" && lower != "off") return false;
    value = yes;
    return true;
}

bool to_double(json::value& value) {
    if (value.is_number()) {
        value = value.to_number<double>();
        return std::isfinite(value.get_double());
    }
    if (!value.is_string()) return false;
    const std::string text(value.get_string());
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) return false;
    value = number;
    return true;
}

bool to_integer(json::value& value) {
    if (value.is_int64()) return true;
    if (!to_double(value)) return false;
    const double number = value.get_double();
    constexpr double kMaxExact = 9007199254740992;  // 2^53: above it a double skips whole numbers
    if (number != std::floor(number) || std::abs(number) > kMaxExact) return false;
    value = static_cast<std::int64_t>(number);
    return true;
}

bool to_text_list(json::value& value) {
    if (!value.is_array()) return false;
    return std::ranges::all_of(value.get_array(), to_text_value);
}

bool convert(FieldType type, json::value& value) {
    switch (type) {
        case FieldType::text: return to_text_value(value);
        case FieldType::boolean: return to_boolean(value);
        case FieldType::integer: return to_integer(value);
        case FieldType::number: return to_double(value);
        case FieldType::text_list: return to_text_list(value);
        case FieldType::any: return true;
    }
    return true;
}

std::string_view wanted(FieldType type) {
    switch (type) {
        case FieldType::text: return "text";
        case FieldType::boolean: return "true or false";
        case FieldType::integer: return "a whole number";
        case FieldType::number: return "a number";
        case FieldType::text_list: return "a list of text";
        case FieldType::any: return "anything";
    }
    return "anything";
}

// ", not 5" for messages; a value may be a whole prompt, and a secret one is nobody's business.
std::string but_is(const FieldInfo& field, const json::value& value) {
    if (field.secret) return {};
    constexpr std::size_t kMaxShown = 80;
    std::string text = to_compact_json(value);
    if (text.size() > kMaxShown) {
        std::size_t cut = kMaxShown;
        while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) --cut;  // never inside a UTF-8 character
        text = text.substr(0, cut) + "…";
    }
    return ", not " + text;
}

bool is_choice(const FieldInfo& field, const json::value& value) {
    if (value.is_array()) return std::ranges::all_of(value.get_array(), [&](const auto& item) { return is_choice(field, item); });
    return !value.is_string() || std::ranges::find(field.choices, std::string(value.get_string())) != field.choices.end();
}

}  // namespace

std::optional<std::string> normalise(const FieldInfo& field, json::value& value) {
    if (value.is_null()) {
        if (field.required) return "is required";
        return std::nullopt;  // not set
    }
    const json::value given = value;
    if (!convert(field.type, value)) return fmt::format("must be {}{}", wanted(field.type), but_is(field, given));
    if (value.is_number()) {
        const double number = value.to_number<double>();
        if (field.min && number < *field.min) return fmt::format("must be at least {}{}", *field.min, but_is(field, given));
        if (field.max && number > *field.max) return fmt::format("must be at most {}{}", *field.max, but_is(field, given));
    }
    if (!field.choices.empty() && !is_choice(field, value))
        return fmt::format("must be one of {}{}", fmt::join(field.choices, ", "), but_is(field, given));
    if (field.check)
        if (const auto problem = field.check(value)) return *problem + but_is(field, given);
    return std::nullopt;
}

std::vector<FieldProblem> normalise(const ComponentInfo& info, json::object& settings) {
    std::vector<FieldProblem> problems;
    for (const auto& field : info.fields) {
        for (const auto& alias : field.aliases) {
            const auto* value = settings.if_contains(alias);
            if (!value) continue;
            json::value given = *value;  // the insertion below may move what `value` points to
            settings.erase(alias);
            if (settings.contains(field.name))
                problems.push_back({alias, fmt::format("is another name of {}, which is set too", field.name)});
            else
                settings.emplace(field.name, std::move(given));
        }
        auto* value = settings.if_contains(field.name);
        if (!value) {
            if (field.required) problems.push_back({field.name, "is required"});
            continue;
        }
        if (auto problem = normalise(field, *value)) problems.push_back({field.name, *problem});
    }
    return problems;
}

}  // namespace plimsoll
