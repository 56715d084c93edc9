#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "config/config.h"
#include "config/expand.h"

namespace plimsoll::config {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Text that every YAML reader takes for text when unquoted. Stricter than our own reader needs: YAML 1.1, which NAT uses,
// also sees booleans in yes and on, numbers in 1_000 and 1:30, dates in 2024-01-01.
bool can_be_plain(std::string_view text) {
    if (text.empty() || (!is_letter(text[0]) && text[0] != '_' && text[0] != '/')) return false;
    std::string lower(text);
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    constexpr std::array<std::string_view, 9> kWords = {"true", "false", "yes", "no", "on", "off", "y", "n", "null"};
    if (std::ranges::find(kWords, lower) != kWords.end()) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool inner = i + 1 < text.size();
        if (is_letter(c) || (c >= '0' && c <= '9') || std::string_view("_-./@+").contains(c)) continue;
        if (inner && c == ' ' && text[i + 1] != ' ' && text[i + 1] != '#') continue;
        if (inner && c == ':' && text[i + 1] != ' ') continue;
        return false;
    }
    return true;
}

// Several lines that a literal block gives back byte for byte.
bool can_be_block(std::string_view text) {
    if (!text.contains('\n') || text.ends_with("\n\n") || text.starts_with(' ') || text.starts_with('\n')) return false;
    if (text.contains(" \n") || text.ends_with(' ')) return false;
    return std::ranges::all_of(text, [](unsigned char c) { return c == '\n' || (c >= 0x20 && c < 0x7F); });
}

std::string quoted(std::string_view text) {
    // A JSON string is a double-quoted YAML scalar; DEL is the one character that only YAML wants escaped.
    std::string out;
    for (const char c : to_compact_json(json::value(json::string(text)))) {
        if (c == '\x7F')
            out += "\\x7f";
        else
            out += c;
    }
    return out;
}

std::string number_text(const json::value& value) {
    if (value.is_double()) {
        const double number = value.get_double();
        if (number != number) return ".nan";
        if (number - number != 0) return number > 0 ? ".inf" : "-.inf";
    }
    std::string text = to_compact_json(value);
    // YAML 1.1 takes 1e-07 for text.
    if (const auto e = text.find('e'); e != std::string::npos && !text.contains('.')) text.insert(e, ".0");
    return text;
}

class Writer {
  public:
    std::string out;

    void write_map(const json::object& object, std::size_t indent) {
        for (const auto& [key, value] : object) {
            out.append(indent, ' ');
            out += can_be_plain(key) ? std::string(key) : quoted(key);
            out += ':';
            write_value(value, indent);
        }
    }

  private:
    // After "key:" or "-", to the end of the line and further.
    void write_value(const json::value& value, std::size_t indent) {
        if (const auto* object = value.if_object(); object && !object->empty()) {
            out += '\n';
            write_map(*object, indent + 2);
        } else if (const auto* array = value.if_array(); array && !array->empty()) {
            out += '\n';
            for (const auto& item : *array) {
                out.append(indent + 2, ' ');
                out += '-';
                write_value(item, indent + 2);
            }
        } else if (const auto* text = value.if_string()) {
            write_text(escape_expansions({text->data(), text->size()}), indent + 2);
        } else {
            out += ' ' + (value.is_number() ? number_text(value) : to_compact_json(value)) + '\n';
        }
    }

    void write_text(std::string_view text, std::size_t indent) {
        if (can_be_plain(text)) {
            out += fmt::format(" {}\n", text);
        } else if (can_be_block(text)) {
            const bool ends_line = text.ends_with('\n');
            out += ends_line ? " |\n" : " |-\n";
            if (ends_line) text.remove_suffix(1);
            write_lines(text, indent);
        } else {
            out += ' ' + quoted(text) + '\n';
        }
    }

    void write_lines(std::string_view text, std::size_t indent) {
        for (;;) {
            const std::size_t end = text.find('\n');
            const std::string_view line = text.substr(0, end);
            if (!line.empty()) out.append(indent, ' ');
            out += line;
            out += '\n';
            if (end == std::string_view::npos) return;
            text.remove_prefix(end + 1);
        }
    }
};

}  // namespace

std::string to_effective_yaml(const Config& config, const Catalogue& catalogue) {
    Writer writer;
    writer.write_map(masked_root(config, catalogue), 0);
    return writer.out.empty() ? "{}\n" : std::move(writer.out);
}

}  // namespace plimsoll::config
