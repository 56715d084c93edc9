// A component's settings, described once: the same description parses a YAML mapping into a struct, reports every wrong
// field, and prints `plimsoll info components`.
//
//   struct NimConfig { std::string model_name; std::optional<double> temperature; int max_tokens = 300; };
//   const Schema<NimConfig>& nim_schema() {
//       static const auto schema = Schema<NimConfig>("llms", "nim", "NVIDIA NIM endpoint")
//           .required("model_name", &NimConfig::model_name, "model to ask for")
//           .field("temperature", &NimConfig::temperature, "sampling temperature").range(0, 2)
//           .field("max_tokens", &NimConfig::max_tokens, "upper bound of an answer");
//       return schema;
//   }
//
// Member types: std::string, bool, int, std::int64_t, double, std::vector<std::string>, json::value (anything), and
// std::optional of each. Defaults are what a default-made struct holds.
#pragma once

#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/json.h"

namespace plimsoll {

enum class FieldType : std::uint8_t { text, boolean, integer, number, text_list, any };
std::string_view to_string(FieldType type);

struct FieldInfo {
    std::string name;
    FieldType type = FieldType::any;
    bool required = false;
    bool nullable = false;      // null means "not set"
    json::value default_value;  // null when required or not set
    std::string doc;
    std::string refers_to;  // top-level section whose names are the legal values: "llms", "functions", …
    std::vector<std::string> aliases;
    std::vector<std::string> choices;
    std::optional<double> min, max;
    bool secret = false;  // masked in every file we write
    // What is wrong with a value of the right type, or nothing; for rules that the members above cannot say.
    std::function<std::optional<std::string>(const json::value&)> check;
};

// Type-erased description, for validation and listings.
struct ComponentInfo {
    std::string section;  // "llms", "embedders", "functions", "workflow", "telemetry.tracing", "evaluators", "dataset"
    std::string type;     // `_type`
    std::string doc;
    std::vector<FieldInfo> fields;
    bool keeps_unknown = false;  // unknown keys are passed on to the server instead of being warned about
};

using Catalogue = std::vector<ComponentInfo>;

struct FieldProblem {
    std::string field;
    std::string message;
};

namespace detail {
template <class T>
struct FieldTraits;
template <>
struct FieldTraits<std::string> {
    static constexpr FieldType type = FieldType::text;
};
template <>
struct FieldTraits<bool> {
    static constexpr FieldType type = FieldType::boolean;
};
template <>
struct FieldTraits<int> {
    static constexpr FieldType type = FieldType::integer;
};
template <>
struct FieldTraits<std::int64_t> {
    static constexpr FieldType type = FieldType::integer;
};
template <>
struct FieldTraits<double> {
    static constexpr FieldType type = FieldType::number;
};
template <>
struct FieldTraits<std::vector<std::string>> {
    static constexpr FieldType type = FieldType::text_list;
};
template <>
struct FieldTraits<json::value> {
    static constexpr FieldType type = FieldType::any;
};
template <class T>
struct IsOptional : std::false_type {
    using Inner = T;
};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {
    using Inner = T;
};

json::value to_value(const std::string& v);
json::value to_value(bool v);
json::value to_value(int v);
json::value to_value(std::int64_t v);
json::value to_value(double v);
json::value to_value(const std::vector<std::string>& v);
json::value to_value(const json::value& v);
void from_value(const json::value& v, std::string& out);
void from_value(const json::value& v, bool& out);
void from_value(const json::value& v, int& out);
void from_value(const json::value& v, std::int64_t& out);
void from_value(const json::value& v, double& out);
void from_value(const json::value& v, std::vector<std::string>& out);
void from_value(const json::value& v, json::value& out);
}  // namespace detail

// What is wrong with a value for a field (range, choices, type), or nothing. Scalars convert as YAML users expect:
// an int is a number, "true", "yes" and "on" are booleans, a number or boolean given for a text is its text. Infinity and
// NaN are no numbers. On success `value` has the field's type, or is null: "not set", which only a required field refuses.
// The value of a secret field is never repeated in the message.
std::optional<std::string> normalise(const FieldInfo& field, json::value& value);

// Checks a whole mapping against a description: missing and wrong fields, aliases renamed to the field's name.
// Unknown keys are not this function's business (config/ reports them with their line).
std::vector<FieldProblem> normalise(const ComponentInfo& info, json::object& settings);

template <class Config>
class Schema {
  public:
    Schema(std::string section, std::string type, std::string doc) {
        info_.section = std::move(section);
        info_.type = std::move(type);
        info_.doc = std::move(doc);
    }

    template <class T>
    Schema& field(std::string name, T Config::* member, std::string doc) {
        using Inner = typename detail::IsOptional<T>::Inner;
        FieldInfo field;
        field.name = name;
        field.type = detail::FieldTraits<Inner>::type;
        field.nullable = detail::IsOptional<T>::value || std::is_same_v<T, json::value>;
        if constexpr (std::is_same_v<Inner, int>) {  // a larger number must be a reported problem, not a narrowing
            field.min = std::numeric_limits<int>::min();
            field.max = std::numeric_limits<int>::max();
        }
        field.doc = std::move(doc);
        const Config defaults{};
        if constexpr (detail::IsOptional<T>::value) {
            if (defaults.*member) field.default_value = detail::to_value(*(defaults.*member));
        } else {
            field.default_value = detail::to_value(defaults.*member);
        }
        info_.fields.push_back(std::move(field));
        setters_[std::move(name)] = [member](Config& config, const json::value& value) {
            if constexpr (detail::IsOptional<T>::value) {
                if (value.is_null()) {
                    config.*member = std::nullopt;
                } else {
                    Inner inner{};
                    detail::from_value(value, inner);
                    config.*member = std::move(inner);
                }
            } else {
                detail::from_value(value, config.*member);
            }
        };
        return *this;
    }

    template <class T>
    Schema& required(std::string name, T Config::* member, std::string doc) {
        field(std::move(name), member, std::move(doc));
        last().required = true;
        last().default_value = nullptr;
        return *this;
    }

    // These refine the field named last.
    Schema& range(double min, double max) {
        last().min = min, last().max = max;
        return *this;
    }
    Schema& at_least(double min) {
        last().min = min;
        return *this;
    }
    Schema& one_of(std::vector<std::string> choices) {
        last().choices = std::move(choices);
        return *this;
    }
    Schema& refers_to(std::string section) {
        last().refers_to = std::move(section);
        return *this;
    }
    Schema& alias(std::string name) {
        last().aliases.push_back(std::move(name));
        return *this;
    }
    Schema& secret() {
        last().secret = true;
        return *this;
    }
    Schema& check(std::function<std::optional<std::string>(const json::value&)> check) {
        last().check = std::move(check);
        return *this;
    }

    Schema& keeps_unknown() {
        info_.keeps_unknown = true;
        return *this;
    }

    const ComponentInfo& info() const { return info_; }

    // Errors: config, naming every wrong field. `settings` may hold unknown keys.
    Result<Config> parse(json::object settings) const {
        const auto problems = normalise(info_, settings);
        if (!problems.empty()) {
            std::string message;
            for (const auto& problem : problems) message += (message.empty() ? "" : "; ") + problem.field + ": " + problem.message;
            return fail(ErrorCode::config, std::move(message));
        }
        Config config{};
        for (const auto& [name, set] : setters_)
            if (const auto* value = settings.if_contains(name)) {
                if (!value->is_null() || is_nullable(name)) set(config, *value);
            }
        return config;
    }

  private:
    FieldInfo& last() { return info_.fields.back(); }
    bool is_nullable(const std::string& name) const {
        for (const auto& field : info_.fields)
            if (field.name == name) return field.nullable;
        return false;
    }

    ComponentInfo info_;
    std::map<std::string, std::function<void(Config&, const json::value&)>> setters_;
};

}  // namespace plimsoll
