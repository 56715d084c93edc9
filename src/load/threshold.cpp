#include "load/threshold.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "load/duration_text.h"

namespace plimsoll::load {
namespace {

constexpr std::pair<std::string_view, Metric> kMetrics[] = {
    {"ttft", Metric::ttft},       {"itl", Metric::itl},         {"raw_latency", Metric::raw_latency},
    {"latency", Metric::latency}, {"session", Metric::session}, {"schedule_error", Metric::schedule_error}};
constexpr std::pair<std::string_view, Share> kShares[] = {{"error_rate", Share::error_rate},
                                                          {"rate", Share::rate},
                                                          {"token_rate", Share::token_rate},
                                                          {"dropped", Share::dropped},
                                                          {"errors", Share::errors}};
constexpr std::pair<std::string_view, Statistic> kStatistics[] = {
    {"avg", Statistic::average}, {"min", Statistic::minimum}, {"max", Statistic::maximum}};
// Longer ones first, since they begin like the shorter ones.
constexpr std::pair<std::string_view, Comparison> kComparisons[] = {
    {"<=", Comparison::less_equal}, {">=", Comparison::greater_equal}, {"<", Comparison::less}, {">", Comparison::greater}};

class Parser {
  public:
    explicit Parser(std::string_view text) : text_(text), rest_(text.substr(0, text.find_last_not_of(' ') + 1)) {}

    Result<Threshold> parse() {
        Threshold out;
        out.text = text_;
        PLIMSOLL_TRY(take_measure(out));
        skip_spaces();
        bool compared = false;
        for (const auto& [symbol, comparison] : kComparisons) {
            if (!rest_.starts_with(symbol)) continue;
            out.comparison = comparison;
            rest_.remove_prefix(symbol.size());
            compared = true;
            break;
        }
        if (!compared) return wrong("expected <, <=, > or >=");
        skip_spaces();
        PLIMSOLL_TRY(take_value(out));
        return out;
    }

  private:
    Result<void> take_measure(Threshold& out) {
        skip_spaces();
        const std::string_view before = rest_;
        const std::string_view word = take_word();
        for (const auto& [name, share] : kShares) {
            if (word != name) continue;
            out.is_share = true;
            out.share = share;
            return {};
        }
        bool has_statistic = false;
        for (const auto& [name, statistic] : kStatistics) {
            if (word != name) continue;
            out.statistic = statistic;
            has_statistic = true;
        }
        if (word == "p") {
            PLIMSOLL_TRY(take_percentile(out));
            has_statistic = true;
        }
        if (!has_statistic) {
            rest_ = before;
            return wrong("expected p(N), avg, min, max, error_rate, errors, rate, token_rate or dropped");
        }
        return take_metric(out);
    }

    Result<void> take_percentile(Threshold& out) {
        skip_spaces();
        if (!rest_.starts_with('(')) return wrong("expected ( after p");
        rest_.remove_prefix(1);
        skip_spaces();
        const std::string_view before = rest_;
        const auto p = take_number(rest_);
        if (!p || *p < 0 || *p > 100) {
            rest_ = before;
            return wrong("expected a number from 0 to 100");
        }
        out.p = *p;
        skip_spaces();
        if (!rest_.starts_with(')')) return wrong("expected )");
        rest_.remove_prefix(1);
        return {};
    }

    Result<void> take_metric(Threshold& out) {
        skip_spaces();
        const std::string_view before = rest_;
        const std::string_view word = take_word();
        for (const auto& [name, metric] : kMetrics) {
            if (word != name) continue;
            out.metric = metric;
            return {};
        }
        rest_ = before;
        return wrong("expected ttft, itl, latency, raw_latency, session or schedule_error");
    }

    Result<void> take_value(Threshold& out) {
        const std::string_view before = rest_;
        const auto number = take_number(rest_);
        if (!number || *number < 0) {
            rest_ = before;
            return wrong("expected a number");
        }
        if (!out.is_share) {
            const auto span = parse_duration(before);
            if (rest_.empty() || !span) return wrong("expected a unit: us, ms, s, m or h");
            out.limit = to_seconds(*span);
            return {};
        }
        out.limit = *number;
        const bool is_rate = out.share == Share::rate || out.share == Share::token_rate;
        if (out.share == Share::error_rate && rest_ == "%") {
            out.limit = *number / 100;
        } else if (!rest_.empty() && !(is_rate && rest_ == "/s")) {
            return wrong(out.share == Share::error_rate ? "expected % or the end"
                         : is_rate                      ? "expected /s or the end"
                                                        : "expected the end");
        }
        return {};
    }

    std::string_view take_word() {
        std::size_t size = 0;
        while (size < rest_.size() && (rest_[size] == '_' || (rest_[size] >= 'a' && rest_[size] <= 'z'))) ++size;
        const std::string_view word = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return word;
    }

    void skip_spaces() {
        while (rest_.starts_with(' ')) rest_.remove_prefix(1);
    }

    std::unexpected<Error> wrong(std::string_view what) const {
        const auto column = static_cast<std::size_t>(rest_.data() - text_.data()) + 1;
        return fail(ErrorCode::invalid_argument, fmt::format("threshold \"{}\", column {}: {}", text_, column, what));
    }

    std::string_view text_;
    std::string_view rest_;
};

}  // namespace

bool Threshold::holds(double value) const {
    switch (comparison) {
        case Comparison::less: return value < limit;
        case Comparison::less_equal: return value <= limit;
        case Comparison::greater: return value > limit;
        case Comparison::greater_equal: return value >= limit;
    }
    return false;
}

Result<Threshold> parse_threshold(std::string_view text) { return Parser(text).parse(); }

}  // namespace plimsoll::load
