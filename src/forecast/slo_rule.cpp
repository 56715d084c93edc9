#include "forecast/slo_rule.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace plimsoll::forecast {
namespace {

constexpr std::pair<std::string_view, double SampleSummary::*> kStats[] = {{"p50", &SampleSummary::p50},   {"p90", &SampleSummary::p90},
                                                                           {"p95", &SampleSummary::p95},   {"p99", &SampleSummary::p99},
                                                                           {"mean", &SampleSummary::mean}, {"max", &SampleSummary::max}};
constexpr std::pair<std::string_view, double> kUnits[] = {{"", 1}, {"s", 1}, {"ms", 1e-3}, {"min", 60}};

std::string_view trim(std::string_view text) {
    constexpr std::string_view kSpace = " \t";
    const auto first = text.find_first_not_of(kSpace);
    if (first == text.npos) return {};
    return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// The next word, up to a space or a comparison.
std::string_view take_word(std::string_view& rest) {
    rest = trim(rest);
    const auto word = rest.substr(0, rest.find_first_of(" \t<"));
    rest = trim(rest.substr(word.size()));
    return word;
}

}  // namespace

Result<SloRule> parse_slo_rule(std::string_view text) {
    const auto bad = [&](std::string_view what) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("\"{}\": {}; a rule reads like \"p95 workflow < 120s\" or \"error_rate < 1%\"", text, what));
    };
    SloRule rule{.text = std::string(trim(text))};
    std::string_view rest = text;
    if (const auto word = take_word(rest); word == "error_rate") {
        rule.metric = SloRule::Metric::error_rate;
    } else {
        const auto stat = std::ranges::find(kStats, word, &std::pair<std::string_view, double SampleSummary::*>::first);
        if (stat == std::end(kStats)) return bad("p50, p90, p95, p99, mean, max or error_rate comes first");
        rule.stat = stat->second;
        const auto metric = take_word(rest);
        if (metric != "workflow" && metric != "llm") return bad("then workflow or llm");
        rule.metric = metric == "llm" ? SloRule::Metric::llm : SloRule::Metric::workflow;
    }
    if (!rest.starts_with('<')) return bad("then <");
    rest.remove_prefix(rest.starts_with("<=") ? 2 : 1);
    rest = trim(rest);
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), rule.limit);
    if (error != std::errc() || !(rule.limit > 0) || rule.limit > 1e9) return bad("then a number above 0");
    const auto unit = trim(rest.substr(static_cast<std::size_t>(end - rest.data())));
    if (rule.metric == SloRule::Metric::error_rate) {
        if (unit != "%") return bad("an error rate is in %");
        rule.limit /= 100;
        return rule;
    }
    const auto scale = std::ranges::find(kUnits, unit, &std::pair<std::string_view, double>::first);
    if (scale == std::end(kUnits)) return bad("the unit is ms, s or min");
    rule.limit *= scale->second;
    return rule;
}

}  // namespace plimsoll::forecast
