#include "forecast/sample_summary.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

#include "base/stats.h"

namespace plimsoll::forecast {
namespace {

constexpr double kLowPercent = 2.5, kHighPercent = 97.5;
struct Field {
    const char* name;
    double SampleSummary::* member;
};
constexpr Field kFields[] = {{"mean", &SampleSummary::mean}, {"p50", &SampleSummary::p50}, {"p90", &SampleSummary::p90},
                             {"p95", &SampleSummary::p95},   {"p99", &SampleSummary::p99}, {"max", &SampleSummary::max}};

// As percentile() of base/stats.h, in linear time; reorders `values`.
double select_percentile(std::vector<double>& values, double percent) {
    const double place = static_cast<double>(values.size() - 1) * percent / 100;
    const auto below = static_cast<std::ptrdiff_t>(place);
    std::nth_element(values.begin(), values.begin() + below, values.end());
    const double low = values[static_cast<std::size_t>(below)];
    if (below + 1 == std::ssize(values)) return low;
    const double high = *std::min_element(values.begin() + below + 1, values.end());
    return low + (high - low) * (place - static_cast<double>(below));
}

Interval middle_95(std::vector<double> values) {
    std::ranges::sort(values);
    return {sorted_percentile(values, kLowPercent), sorted_percentile(values, kHighPercent)};
}

Interval t_interval(const std::vector<double>& values) {
    const auto n = static_cast<double>(values.size());
    const double sample_sd = population_sd(values) * std::sqrt(n / (n - 1));
    const double reach = student_t95(static_cast<int>(values.size()) - 1) * sample_sd / std::sqrt(n);
    return {mean(values) - reach, mean(values) + reach};
}

// The percentiles with an interval, and the name of that in JSON.
struct IntervalField {
    const char* name;
    double percent;
    std::optional<Interval> SampleSummary::* member;
};
constexpr IntervalField kPercentiles[] = {{"p50_interval_95", 50, &SampleSummary::p50_interval},
                                          {"p95_interval_95", 95, &SampleSummary::p95_interval},
                                          {"p99_interval_95", 99, &SampleSummary::p99_interval}};

void add_bootstrap(const std::vector<std::vector<double>>& groups, Random& random, SampleSummary& summary) {
    std::vector<double> means, drawn;
    std::vector<double> percentiles[std::size(kPercentiles)];
    for (int i = 0; i < kResamples; ++i) {
        drawn.clear();
        for (std::size_t k = 0; k < groups.size(); ++k) {
            const auto& group = groups[random() % groups.size()];
            drawn.insert(drawn.end(), group.begin(), group.end());
        }
        means.push_back(mean(drawn));
        for (std::size_t p = 0; p < std::size(kPercentiles); ++p)
            percentiles[p].push_back(select_percentile(drawn, kPercentiles[p].percent));
    }
    if (!summary.mean_interval) summary.mean_interval = middle_95(std::move(means));
    for (std::size_t p = 0; p < std::size(kPercentiles); ++p) summary.*kPercentiles[p].member = middle_95(std::move(percentiles[p]));
}

std::optional<Interval> parse_interval(const json::value* value) {
    if (!value || !value->is_object()) return std::nullopt;
    return Interval{get_number(*value, "low").value_or(0), get_number(*value, "high").value_or(0)};
}

}  // namespace

SampleSummary summarise_sample(const std::vector<std::vector<double>>& all_groups, Random random) {
    std::vector<std::vector<double>> groups;
    std::vector<double> values;
    for (const auto& group : all_groups) {
        if (group.empty()) continue;
        groups.push_back(group);
        values.insert(values.end(), group.begin(), group.end());
    }
    SampleSummary summary{.n = values.size(), .mean = mean(values)};
    if (values.empty()) return summary;
    if (groups.size() > 1) {
        if (values.size() == groups.size()) summary.mean_interval = t_interval(values);
        add_bootstrap(groups, random, summary);
    }
    std::ranges::sort(values);
    summary.p50 = sorted_percentile(values, 50);
    summary.p90 = sorted_percentile(values, 90);
    summary.p95 = sorted_percentile(values, 95);
    summary.p99 = sorted_percentile(values, 99);
    summary.max = values.back();
    return summary;
}

double student_t95(int degrees) { return boost::math::quantile(boost::math::students_t(degrees), kHighPercent / 100); }

json::value to_json(const std::optional<Interval>& interval) {
    if (!interval) return nullptr;
    return {{"low", interval->low}, {"high", interval->high}};
}

json::value to_json(const SampleSummary& summary) {
    json::object out = {{"n", summary.n}};
    for (const auto& [name, member] : kFields) out[name] = summary.*member;
    out["mean_interval_95"] = to_json(summary.mean_interval);
    for (const auto& [name, percent, member] : kPercentiles) out[name] = to_json(summary.*member);
    return out;
}

SampleSummary parse_sample_summary(const json::value& value) {
    SampleSummary summary{.n = static_cast<std::size_t>(std::max<std::int64_t>(0, get_int(value, "n").value_or(0)))};
    for (const auto& [name, member] : kFields) summary.*member = get_number(value, name).value_or(0);
    summary.mean_interval = parse_interval(find(value, "mean_interval_95"));
    for (const auto& [name, percent, member] : kPercentiles) summary.*member = parse_interval(find(value, name));
    return summary;
}

}  // namespace plimsoll::forecast
