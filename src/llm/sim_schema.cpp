#include "llm/sim_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace plimsoll::llm {
namespace {

constexpr int kUsualItems = 3;
constexpr int kSpareDepth = 8;  // from here on only what is required, so that a recursive schema comes to an end

constexpr std::array<std::string_view, 10> kPhrases = {"What is the current state of the field?",
                                                       "Which approaches compete, and how do they differ?",
                                                       "What do measurements say about cost and speed?",
                                                       "Which limits do practitioners report?",
                                                       "What changed during the last two years?",
                                                       "Who depends on the outcome, and why?",
                                                       "Which assumptions do the sources share?",
                                                       "Where do the sources contradict each other?",
                                                       "What would a small experiment show?",
                                                       "Which questions stay open?"};

// Beginning of the UTF-8 text, at most `count` code points of it.
std::string_view first_code_points(std::string_view text, std::size_t count) {
    std::size_t end = 0;
    for (std::size_t seen = 0; end < text.size(); ++end) {
        const bool begins = (static_cast<unsigned char>(text[end]) & 0xc0) != 0x80;
        if (begins && seen++ == count) break;
    }
    return text.substr(0, end);
}

class Maker {
  public:
    explicit Maker(const json::value& root) : root_(root) {}

    Result<json::value> make(const json::value& schema, int depth) {
        if (depth > kMaxSimSchemaDepth || ++values_ > kMaxSimSchemaValues)
            return fail(ErrorCode::limit, "the JSON schema asks for a value that is too deep or too large");
        if (schema.is_bool()) return schema.get_bool() ? Result<json::value>(json::value(phrase())) : bad("false allows no value");
        if (!schema.is_object()) return bad("a schema is an object");
        const auto& object = schema.get_object();
        if (const auto* ref = object.if_contains("$ref")) return make_reference(*ref, depth);
        if (const auto* value = object.if_contains("const")) return *value;
        if (const auto* values = object.if_contains("enum")) {
            if (!values->is_array() || values->get_array().empty()) return bad("enum is a list of values");
            return values->get_array()[0];
        }
        if (object.contains("allOf")) return make_all(object, depth);
        for (const char* key : {"anyOf", "oneOf"})
            if (const auto* choices = object.if_contains(key)) {
                if (!choices->is_array() || choices->get_array().empty()) return bad("anyOf and oneOf are lists of schemas");
                return make(first_useful(choices->get_array()), depth + 1);
            }
        if (const auto* value = object.if_contains("default"); value && !value->is_null()) return *value;
        return make_typed(object, depth);
    }

  private:
    static std::unexpected<Error> bad(std::string_view what) {
        return fail(ErrorCode::invalid_argument, fmt::format("JSON schema: {}", what));
    }

    // `anyOf: [null, X]` is how an optional field is written; a model gives it.
    static const json::value& first_useful(const json::array& choices) {
        for (const auto& choice : choices)
            if (get_string(choice, "type") != "null") return choice;
        return choices[0];
    }

    Result<json::value> make_reference(const json::value& ref, int depth) {
        if (!ref.is_string() || !ref.get_string().starts_with("#")) return bad("$ref points into the same document, like #/$defs/Name");
        boost::system::error_code error;
        const auto* target = root_.find_pointer(std::string_view(ref.get_string()).substr(1), error);
        if (!target) return bad(fmt::format("nothing at $ref {}", std::string_view(ref.get_string())));
        return make(*target, depth + 1);
    }

    // Merges the members into one schema: properties and required add up, of anything else the last one counts.
    Result<json::value> make_all(const json::object& schema, int depth) {
        json::object merged = schema;
        merged.erase("allOf");
        if (!schema.at("allOf").is_array()) return bad("allOf is a list of schemas");
        for (const auto& part : schema.at("allOf").get_array()) {
            const auto* member = &part;
            if (const auto ref = get_string(part, "$ref"); ref && ref->starts_with("#")) {
                boost::system::error_code error;
                member = root_.find_pointer(std::string_view(*ref).substr(1), error);
            }
            if (!member || !member->is_object()) return bad("allOf is a list of schemas");
            for (const auto& [key, value] : member->get_object()) merge(merged, key, value);
        }
        return make(merged, depth + 1);
    }

    static void merge(json::object& into, std::string_view key, const json::value& value) {
        auto* old = into.if_contains(key);
        if (key == "properties" && old && old->is_object() && value.is_object()) {
            for (const auto& [name, property] : value.get_object()) old->get_object()[name] = property;
        } else if (key == "required" && old && old->is_array() && value.is_array()) {
            for (const auto& name : value.get_array()) old->get_array().push_back(name);
        } else {
            into[key] = value;
        }
    }

    Result<json::value> make_typed(const json::object& schema, int depth) {
        const std::string type = type_of(schema);
        if (type == "object") return make_object(schema, depth);
        if (type == "array") return make_array(schema, depth);
        if (type == "string") return make_text(schema);
        if (type == "integer") return make_number(schema, true);
        if (type == "number") return make_number(schema, false);
        if (type == "boolean") return json::value(true);
        if (type == "null") return json::value(nullptr);
        return bad(fmt::format("unknown type '{}'", type));
    }

    static std::string type_of(const json::object& schema) {
        const auto* type = schema.if_contains("type");
        if (type && type->is_string()) return std::string(type->get_string());
        if (type && type->is_array())
            for (const auto& name : type->get_array())
                if (name.is_string() && name.get_string() != "null") return std::string(name.get_string());
        if (type) return type->is_array() ? "null" : to_text(*type);
        if (schema.contains("properties")) return "object";
        if (schema.contains("items") || schema.contains("prefixItems")) return "array";
        return "string";
    }

    Result<json::value> make_object(const json::object& schema, int depth) {
        const auto* properties = schema.if_contains("properties");
        const auto* required = schema.if_contains("required");
        json::object object;
        if (properties && !properties->is_object()) return bad("properties is an object");
        const auto is_required = [&](std::string_view name) {
            return required && required->is_array() &&
                   std::ranges::find(required->get_array(), json::value(name)) != required->get_array().end();
        };
        if (properties)
            for (const auto& [name, property] : properties->get_object()) {
                const bool wanted = required ? is_required(name) : depth < kSpareDepth;
                if (!wanted) continue;
                auto value = make(property, depth + 1);
                if (!value) return value;
                object[name] = std::move(*value);
            }
        if (required && required->is_array())
            for (const auto& name : required->get_array())
                if (name.is_string() && !object.contains(name.get_string())) object[name.get_string()] = phrase();
        return object;
    }

    Result<json::value> make_array(const json::object& schema, int depth) {
        const double least = number(schema, "minItems", 0), most = number(schema, "maxItems", kMaxSimSchemaValues);
        if (least > kMaxSimSchemaValues) return fail(ErrorCode::limit, "JSON schema: minItems is too large");
        if (least > most) return bad("minItems is above maxItems");
        const auto* prefix = schema.if_contains("prefixItems");
        const auto* items = schema.if_contains("items");
        const double usual = depth < kSpareDepth ? kUsualItems : 0;
        auto count = static_cast<std::size_t>(std::min(most, std::max(least, schema.contains("minItems") ? least : usual)));
        const std::size_t prefixed = prefix && prefix->is_array() ? prefix->get_array().size() : 0;
        if (prefixed > 0 && !schema.contains("minItems")) count = prefixed;
        const json::value anything = json::object{};
        json::array array;
        for (std::size_t i = 0; i < count; ++i) {
            auto value = make(i < prefixed ? prefix->get_array()[i] : items ? *items : anything, depth + 1);
            if (!value) return value;
            const bool unique = schema.contains("uniqueItems") && schema.at("uniqueItems") == true;
            if (unique && std::ranges::find(array, *value) != array.end()) {
                if (static_cast<double>(array.size()) >= least) break;
                return fail(ErrorCode::unsupported, "JSON schema: uniqueItems with more than one item of this kind");
            }
            array.push_back(std::move(*value));
        }
        return array;
    }

    Result<json::value> make_text(const json::object& schema) {
        if (schema.contains("pattern")) return fail(ErrorCode::unsupported, "JSON schema: pattern is not supported");
        if (const auto* format = schema.if_contains("format"); format && format->is_string()) {
            const std::string_view name = format->get_string();
            if (name == "date") return json::value("2025-01-31");
            if (name == "time") return json::value("12:00:00Z");
            if (name == "date-time") return json::value("2025-01-31T12:00:00Z");
            if (name == "uuid") return json::value("7b1a3f52-0c4e-4d8a-9b6f-2e5d1c0a8f37");
            if (name == "uri" || name == "url") return json::value("https://example.com/");
            if (name == "email") return json::value("someone@example.com");
        }
        const double least = number(schema, "minLength", 0), most = number(schema, "maxLength", kMaxSimSchemaText);
        if (least > static_cast<double>(kMaxSimSchemaText)) return fail(ErrorCode::limit, "JSON schema: minLength is too large");
        if (least > most) return bad("minLength is above maxLength");
        std::string text = phrase();
        while (static_cast<double>(text.size()) < least) text += ' ' + phrase();
        return json::value(first_code_points(text, static_cast<std::size_t>(std::max(most, 0.0))));
    }

    // The smallest value allowed, 1 when there is no lower bound; a multiple of multipleOf.
    Result<json::value> make_number(const json::object& schema, bool whole) {
        const double highest = number(schema, "maximum", number(schema, "exclusiveMaximum", std::numeric_limits<double>::infinity()));
        const double step = number(schema, "multipleOf", whole ? 1 : 0);
        double value = std::min(1.0, highest);
        if (schema.contains("minimum")) value = number(schema, "minimum", 0);
        if (step > 0) value = std::ceil(value / step) * step;
        if (schema.contains("exclusiveMinimum")) {
            const double below = number(schema, "exclusiveMinimum", 0);
            value = step > 0 ? (std::floor(below / step) + 1) * step : std::isfinite(highest) ? (below + highest) / 2 : below + 1;
        }
        if (schema.contains("exclusiveMaximum") && value >= number(schema, "exclusiveMaximum", 0)) value -= step > 0 ? step : 1;
        const bool fits = value <= highest && value >= number(schema, "minimum", value) && std::abs(value) < 9e15;
        if (!fits) return bad("no number fits minimum, maximum and multipleOf");
        if (whole) return json::value(static_cast<std::int64_t>(value));
        return json::value(value);
    }

    static double number(const json::object& schema, std::string_view key, double otherwise) {
        const auto* value = schema.if_contains(key);
        if (!value || !value->is_number()) return otherwise;
        return value->to_number<double>();
    }

    std::string phrase() {
        const std::size_t index = phrases_++;
        const auto text = kPhrases[index % kPhrases.size()];
        return index < kPhrases.size() ? std::string(text) : fmt::format("{} ({})", text, index / kPhrases.size() + 1);
    }

    const json::value& root_;
    int values_ = 0;
    std::size_t phrases_ = 0;
};

}  // namespace

Result<json::value> make_schema_instance(const json::value& schema) { return Maker(schema).make(schema, 0); }

}  // namespace plimsoll::llm
