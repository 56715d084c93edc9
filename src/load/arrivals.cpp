#include "load/arrivals.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/json.h"

namespace plimsoll::load {
namespace {

double area_of(const RateStage& stage) { return to_seconds(stage.span) * (stage.from + stage.to) / 2; }

// Seconds into the stage at which `area` arrivals have passed: the root of from·t + slope·t²/2 = area, in the form that loses no digits
// for a small slope.
double time_at(const RateStage& stage, double area) {
    const double span = to_seconds(stage.span);
    const double slope = (stage.to - stage.from) / span;
    const double root = std::sqrt(std::max(0.0, stage.from * stage.from + 2 * slope * area));
    const double divisor = stage.from + root;
    return divisor <= 0 ? 0 : std::min(span, 2 * area / divisor);
}

Result<std::vector<Nanoseconds>> to_offsets(const std::vector<double>& times, double speed) {
    std::vector<Nanoseconds> out;
    out.reserve(times.size());
    for (std::size_t i = 0; i < times.size(); ++i) {
        if (i > 0 && times[i] < times[i - 1]) return fail(ErrorCode::parse, fmt::format("time {} is before the one above it", i + 1));
        const double offset = (times[i] - times.front()) / speed;
        if (offset > std::chrono::duration<double>(kMaxDuration).count())
            return fail(ErrorCode::limit, "the recorded arrivals span more than a year");
        out.push_back(from_seconds(offset));
    }
    if (out.empty()) return fail(ErrorCode::parse, "no arrival is recorded");
    return out;
}

}  // namespace

Nanoseconds ArrivalPlan::length() const {
    if (!trace.empty()) return trace.back();
    Nanoseconds sum{0};
    for (const RateStage& stage : stages) sum += stage.span;
    return sum;
}

Result<std::vector<RateStage>> parse_stages(std::string_view text, double initial_rate) {
    std::vector<RateStage> stages;
    double rate = initial_rate;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        const std::string_view part = text.substr(at, comma - at);
        const std::size_t colon = part.find(':');
        std::string_view target_text = colon == std::string_view::npos ? std::string_view() : part.substr(colon + 1);
        const auto span = parse_duration(part.substr(0, colon));
        const auto target = take_number(target_text);
        if (!span || span->count() == 0 || !target || !target_text.empty() || *target < 0 || *target > kMaxRate)
            return fail(ErrorCode::invalid_argument, fmt::format("\"{}\" is no stage (like 30s:50, within 30 s to 50 a second)", part));
        stages.push_back({*span, rate, *target});
        rate = *target;
        at = comma + 1;
    }
    return stages;
}

Result<std::vector<Nanoseconds>> parse_arrival_trace(std::string_view text, double speed) {
    std::vector<double> times;
    if (const std::size_t start = text.find_first_not_of(" \t\r\n"); start != std::string_view::npos && text[start] == '[') {
        const auto parsed = parse_json(text);
        if (!parsed) return fail(parsed.error());
        for (const auto& entry : parsed->as_array()) {
            if (!entry.is_number()) return fail(ErrorCode::parse, "the list of arrivals holds something that is no number");
            times.push_back(entry.to_number<double>());
        }
        return to_offsets(times, speed);
    }
    std::size_t line_number = 0;
    while (!text.empty()) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        ++line_number;
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty() || line.starts_with('#')) continue;
        const auto time = take_number(line);
        if (!time || !line.empty()) return fail(ErrorCode::parse, fmt::format("line {}: no time in seconds", line_number));
        if (times.size() == kMaxTraceArrivals) return fail(ErrorCode::limit, fmt::format("more than {} arrivals", kMaxTraceArrivals));
        times.push_back(*time);
    }
    return to_offsets(times, speed);
}

Arrivals::Arrivals(const ArrivalPlan& plan) : plan_(plan), random_(plan.seed), gamma_(1 / (plan.cv * plan.cv), plan.cv * plan.cv) {
    PLIMSOLL_CHECK(plan.cv > 0, fmt::format("cv {}", plan.cv));
}

double Arrivals::draw_gap() {
    switch (plan_.gaps) {
        case Gaps::constant: return first_ ? 0 : 1;
        case Gaps::exponential: return -std::log1p(-random_.uniform());
        case Gaps::gamma: return gamma_(random_);
    }
    return 1;
}

std::optional<Nanoseconds> Arrivals::next() {
    if (!plan_.trace.empty()) {
        if (at_ == plan_.trace.size()) return std::nullopt;
        return plan_.trace[at_++];
    }
    area_ += draw_gap();
    first_ = false;
    for (; at_ < plan_.stages.size(); ++at_) {
        const RateStage& stage = plan_.stages[at_];
        const double area = area_of(stage);
        // Half-open, so that an arrival on the edge between two stages belongs to the later one.
        if (area_ - stage_start_area_ < area) return from_seconds(stage_start_s_ + time_at(stage, area_ - stage_start_area_));
        stage_start_area_ += area;
        stage_start_s_ += to_seconds(stage.span);
    }
    return std::nullopt;
}

}  // namespace plimsoll::load
