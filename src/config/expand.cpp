#include "config/expand.h"

#include <fmt/format.h>

namespace plimsoll::config {
namespace {

// Defaults within defaults; a bound for the recursion, far above what anybody writes.
constexpr int kMaxNesting = 16;

bool is_name_char(char c, bool first) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    return letter || (!first && c >= '0' && c <= '9');
}

class Expander {
  public:
    Expander(std::string_view text, const Getenv& getenv, std::size_t max_bytes) : text_(text), getenv_(getenv), max_bytes_(max_bytes) {}

    // Text up to the end, or up to the `}` that closes the expression when nesting > 0. What is not `wanted`, a default of a
    // variable that is set, is only skipped: its own ${V:?message} must not fail.
    Result<std::string> read_text(int nesting, bool wanted) {
        std::string out;
        while (at_ < text_.size() && !(nesting > 0 && text_[at_] == '}')) {
            const std::string_view rest = text_.substr(at_);
            if (rest.starts_with("\\${")) {
                out += "${";
                at_ += 3;
            } else if (rest.starts_with("${")) {
                auto value = read_expression(nesting + 1, wanted);
                if (!value) return value;
                out += *value;
            } else {
                out += text_[at_++];
            }
            if (out.size() > max_bytes_) return fail(ErrorCode::limit, fmt::format("expands to more than {} bytes", max_bytes_));
        }
        return out;
    }

  private:
    Result<std::string> read_expression(int nesting, bool wanted) {
        if (nesting > kMaxNesting) return fail(ErrorCode::limit, fmt::format("${{…}} is nested deeper than {}", kMaxNesting));
        at_ += 2;
        std::string name;
        while (at_ < text_.size() && is_name_char(text_[at_], name.empty())) name += text_[at_++];
        const std::string_view rest = text_.substr(at_);
        if (rest.empty()) return fail(ErrorCode::parse, fmt::format("${{{}: missing '}}'", name));
        if (name.empty()) return fail(ErrorCode::parse, "${ is not followed by a variable's name (write \\${ for the text itself)");

        const char* value = wanted ? getenv_(name) : nullptr;
        const bool is_set = value && *value;
        const bool has_default = rest.starts_with("-") || rest.starts_with(":-");
        const bool has_message = rest.starts_with("?") || rest.starts_with(":?");
        std::string argument;
        if (has_default || has_message) {
            at_ += rest.front() == ':' ? 2 : 1;
            auto read = read_text(nesting, wanted && !is_set);
            if (!read) return read;
            argument = *std::move(read);
        } else if (rest.front() != '}') {
            return fail(ErrorCode::parse, fmt::format("${{{}…}}: only ${{V}}, ${{V:-default}} and ${{V:?message}} are understood", name));
        }
        if (at_ == text_.size()) return fail(ErrorCode::parse, fmt::format("${{{}: missing '}}'", name));
        ++at_;

        if (is_set) return std::string(value);
        if (wanted && has_message) return fail(ErrorCode::config, fmt::format("{}: {}", name, argument.empty() ? "is not set" : argument));
        return argument;
    }

    std::string_view text_;
    const Getenv& getenv_;
    std::size_t max_bytes_;
    std::size_t at_ = 0;
};

}  // namespace

Result<std::string> expand(std::string_view text, const Getenv& getenv, std::size_t max_bytes) {
    return Expander(text, getenv, max_bytes).read_text(0, true);
}

std::string escape_expansions(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text.substr(at).starts_with("${")) out += '\\';
        out += text[at];
    }
    return out;
}

}  // namespace plimsoll::config
