#include <fmt/format.h>

#include <charconv>

#include "forecast/forecast.h"

namespace plimsoll::forecast {
namespace {

constexpr std::string_view kGrammar = "an SLO reads like \"p95 workflow < 120s\" (workflow or llm; ms, s or min)";

std::string_view trim(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

bool take(std::string_view& text, std::string_view word) {
    text = trim(text);
    if (!text.starts_with(word)) return false;
    text.remove_prefix(word.size());
    return true;
}

}  // namespace

// slo = "p95" metric ("<" | "<=") number unit?
Result<Slo> parse_slo(std::string_view text) {
    const auto bad = [&] { return fail(ErrorCode::invalid_argument, fmt::format("\"{}\": {}", text, kGrammar)); };
    std::string_view rest = text;
    Slo slo;
    if (!take(rest, "p95")) return bad();
    if (take(rest, "llm"))
        slo.metric = Slo::Metric::llm;
    else if (!take(rest, "workflow"))
        return bad();
    if (!take(rest, "<=") && !take(rest, "<")) return bad();
    rest = trim(rest);
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), slo.seconds);
    if (error != std::errc() || !(slo.seconds > 0)) return bad();
    const std::string_view unit = trim(rest.substr(static_cast<std::size_t>(end - rest.data())));
    if (unit == "ms")
        slo.seconds /= 1000;
    else if (unit == "min")
        slo.seconds *= 60;
    else if (!unit.empty() && unit != "s")
        return bad();
    return slo;
}

}  // namespace plimsoll::forecast
