#include "forecast/score_trend.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace plimsoll::forecast {
namespace {

struct Observation {
    double doublings = 0, score = 0;
};

// Means of a question taken out of its observations.
void centre(std::vector<Observation>& of_question) {
    const auto n = static_cast<double>(of_question.size());
    Observation mean;
    for (const Observation& one : of_question) {
        mean.doublings += one.doublings / n;
        mean.score += one.score / n;
    }
    for (Observation& one : of_question) {
        one.doublings -= mean.doublings;
        one.score -= mean.score;
    }
}

// Equal scores differ by rounding alone once their mean is taken out.
double without_rounding(double value, double largest) {
    constexpr double kRounding = 1e-12;
    return std::abs(value) <= kRounding * largest ? 0 : value;
}

bool is_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

SessionScores parse_scores(const json::value& object, std::string_view key) {
    SessionScores scores;
    if (const auto* found = find(object, key); found && found->is_object())
        for (const auto& [name, score] : found->get_object())
            if (score.is_number()) scores[std::string(name)] = score.to_number<double>();
    return scores;
}

SampleSummary summarise_scores(const SessionScores& scores) {
    std::vector<std::vector<double>> values;
    for (const auto& [id, score] : scores) values.push_back({score});
    return summarise_sample(values, Random(1));
}

std::string question_of(std::string_view id) {
    if (const auto slash = id.find('/'); slash != id.npos && id.starts_with("run") && is_digits(id.substr(3, slash - 3)))
        id.remove_prefix(slash + 1);
    if (const auto rep = id.rfind("_rep"); rep != id.npos && rep > 0 && is_digits(id.substr(rep + 4))) id = id.substr(0, rep);
    return std::string(id);
}

ScoreTrend compute_score_trend(std::string evaluator, int better, const std::vector<ScoredLevel>& levels) {
    ScoreTrend trend{.evaluator = std::move(evaluator), .better = better};
    std::map<std::string, std::vector<Observation>> questions;
    for (const ScoredLevel& level : levels)
        for (const auto& [id, score] : *level.scores) questions[question_of(id)].push_back({std::log2(level.concurrency), score});
    std::erase_if(questions, [](const auto& entry) {
        const auto& [low, high] = std::ranges::minmax(entry.second, {}, &Observation::doublings);
        return high.doublings <= low.doublings;
    });
    double spread = 0, product = 0, largest = 0;
    for (auto& [id, observations] : questions) {
        for (const Observation& one : observations) largest = std::max(largest, std::abs(one.score));
        centre(observations);
        trend.sessions += static_cast<int>(observations.size());
        for (const auto& [doublings, score] : observations) {
            spread += doublings * doublings;
            product += doublings * score;
        }
    }
    trend.questions = static_cast<int>(questions.size());
    const int degrees = trend.sessions - trend.questions - 1;
    if (degrees < 1) return trend;
    trend.change = without_rounding(product / spread, largest);
    double squares = 0;
    for (const auto& [id, observations] : questions)
        for (const auto& [doublings, score] : observations) squares += std::pow(score - trend.change * doublings, 2);
    const double reach = without_rounding(student_t95(degrees) * std::sqrt(squares / degrees / spread), largest);
    trend.interval = Interval{trend.change - reach, trend.change + reach};
    return trend;
}

ScoreTrend::Verdict ScoreTrend::verdict() const {
    if (!interval) return Verdict::unknown;
    if (interval->low <= 0 && interval->high >= 0) return Verdict::no_evidence;
    const int sign = interval->low > 0 ? 1 : -1;
    if (better == 0) return sign > 0 ? Verdict::rises : Verdict::falls;
    return sign == better ? Verdict::better : Verdict::worse;
}

std::string_view to_string(ScoreTrend::Verdict verdict) {
    switch (verdict) {
        case ScoreTrend::Verdict::better: return "better";
        case ScoreTrend::Verdict::worse: return "worse";
        case ScoreTrend::Verdict::rises: return "rises";
        case ScoreTrend::Verdict::falls: return "falls";
        case ScoreTrend::Verdict::no_evidence: return "no evidence";
        case ScoreTrend::Verdict::unknown: return "unknown";
    }
    return "";
}

std::string describe(const ScoreTrend& trend) {
    using enum ScoreTrend::Verdict;
    const auto verdict = trend.verdict();
    if (verdict == unknown)
        return fmt::format("{}: no telling whether it changes under load, too few questions were asked at two concurrencies.",
                           trend.evaluator);
    const std::string evidence =
        fmt::format("{} sessions, {} question{}", trend.sessions, trend.questions, trend.questions == 1 ? "" : "s");
    if (verdict == no_evidence)
        return fmt::format(
            "{}: no evidence of a change under load, {:+.3g} ({:+.3g} to {:+.3g}) with each doubling of the concurrency; {}.",
            trend.evaluator, trend.change, trend.interval->low, trend.interval->high, evidence);
    const std::string word = verdict == better ? "better under load, " : verdict == worse ? "worse under load, " : "";
    return fmt::format("{}: {}{:+.3g} ({:+.3g} to {:+.3g}) with each doubling of the concurrency; {}.", trend.evaluator, word, trend.change,
                       trend.interval->low, trend.interval->high, evidence);
}

}  // namespace plimsoll::forecast
