// Schedules, thresholds, durations, histories of statistics: everything that needs no network.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/stats.h"
#include "load/arrivals.h"
#include "load/stats.h"
#include "load/summary.h"
#include "load/threshold.h"

namespace plimsoll::load {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

std::vector<double> arrivals(const ArrivalPlan& plan) {
    Arrivals schedule(plan);
    std::vector<double> out;
    while (const auto next = schedule.next()) out.push_back(to_seconds(*next));
    return out;
}

ArrivalPlan steady(Gaps gaps, double rate, double span, double cv = 1, std::uint64_t seed = 1) {
    ArrivalPlan plan;
    plan.gaps = gaps;
    plan.cv = cv;
    plan.seed = seed;
    plan.stages = {{from_seconds(span), rate, rate}};
    return plan;
}

// Coefficient of variation of the gaps.
double spread(const std::vector<double>& times) {
    std::vector<double> gaps;
    for (std::size_t i = 1; i < times.size(); ++i) gaps.push_back(times[i] - times[i - 1]);
    return population_sd(gaps) / mean(gaps);
}

TEST(Arrivals, ConstantGapsAreExact) {
    const auto times = arrivals(steady(Gaps::constant, 50, 2));
    ASSERT_EQ(times.size(), 100u);
    EXPECT_EQ(times[0], 0);
    EXPECT_NEAR(times[99], 1.98, 1e-9);
}

TEST(Arrivals, MeanAndSpreadAreThoseAskedFor) {
    for (const auto& [gaps, cv] : {std::pair(Gaps::exponential, 1.0), std::pair(Gaps::gamma, 0.5), std::pair(Gaps::gamma, 2.0)}) {
        const auto times = arrivals(steady(gaps, 100, 500, cv, 7));
        EXPECT_NEAR(static_cast<double>(times.size()), 50'000, 50'000 * 0.03) << cv;
        EXPECT_NEAR(spread(times), cv, 0.04 * cv);
        EXPECT_TRUE(std::ranges::is_sorted(times));
    }
}

TEST(Arrivals, SameSeedSameSchedule) {
    EXPECT_EQ(arrivals(steady(Gaps::exponential, 100, 5, 1, 3)), arrivals(steady(Gaps::exponential, 100, 5, 1, 3)));
    EXPECT_NE(arrivals(steady(Gaps::exponential, 100, 5, 1, 3)), arrivals(steady(Gaps::exponential, 100, 5, 1, 4)));
}

TEST(Arrivals, StagesRampAndPause) {
    ArrivalPlan plan;
    plan.gaps = Gaps::constant;
    plan.stages = parse_stages("10s:100,10s:100,10s:0,5s:0,10s:50", 0).value();
    const auto times = arrivals(plan);
    const auto within = [&](double from, double to) { return std::ranges::count_if(times, [=](double t) { return t >= from && t < to; }); };
    EXPECT_NEAR(within(0, 10), 500, 1);
    EXPECT_NEAR(within(0, 5), 125, 1);  // a ramp's first half holds a quarter of it
    EXPECT_NEAR(within(10, 20), 1000, 1);
    EXPECT_NEAR(within(20, 30), 500, 1);
    EXPECT_EQ(within(30.001, 35), 0);
    EXPECT_NEAR(within(35, 45), 250, 1);
    EXPECT_EQ(plan.length(), seconds(45));
}

TEST(Arrivals, RecordedOnes) {
    ArrivalPlan plan;
    plan.trace = parse_arrival_trace("# seconds\n1700000000.5\n\n1700000001\r\n1700000003\n", 2).value();
    EXPECT_THAT(arrivals(plan), testing::ElementsAre(0, 0.25, 1.25));
    EXPECT_EQ(parse_arrival_trace("[0, 1.5]", 1).value().size(), 2u);
    for (const char* bad : {"", "# nothing", "1\n0.5\n", "1\nx\n", "1 2\n", "[1, \"2\"]", "[1,", "[]"})
        EXPECT_EQ(parse_arrival_trace(bad, 1).error().code, ErrorCode::parse) << bad;
    EXPECT_EQ(parse_arrival_trace("0\n1e12\n", 1).error().code, ErrorCode::limit);
}

TEST(Arrivals, WrongStages) {
    for (const char* bad : {"", "10s", "10s:", "x:5", "0s:5", "10s:-1", "10s:5x", "10s:1e9", "10s:5,,", "10s:nan"})
        EXPECT_EQ(parse_stages(bad, 0).error().code, ErrorCode::invalid_argument) << bad;
}

TEST(Durations, UnitsAndRefusals) {
    EXPECT_EQ(parse_duration("250ms").value(), std::chrono::milliseconds(250));
    EXPECT_EQ(parse_duration("1.5").value(), std::chrono::milliseconds(1500));
    EXPECT_EQ(parse_duration("2m").value(), std::chrono::minutes(2));
    EXPECT_EQ(parse_duration("3us").value(), std::chrono::microseconds(3));
    for (const char* bad : {"", "s", "1 s", "-1s", "1x", "inf", "nan", "1e30h", "9000h2"})
        EXPECT_EQ(parse_duration(bad).error().code, ErrorCode::invalid_argument) << bad;
}

TEST(Thresholds, Good) {
    const auto ttft = parse_threshold("p(95) ttft < 2s").value();
    EXPECT_EQ(ttft.metric, Metric::ttft);
    EXPECT_EQ(ttft.p, 95);
    EXPECT_EQ(ttft.limit, 2);
    EXPECT_TRUE(ttft.holds(1.99));
    EXPECT_FALSE(ttft.holds(2));
    const auto errors = parse_threshold(" error_rate<=1% ").value();
    EXPECT_TRUE(errors.is_share);
    EXPECT_DOUBLE_EQ(errors.limit, 0.01);
    EXPECT_TRUE(errors.holds(0.01));
    EXPECT_EQ(parse_threshold("rate > 50/s").value().limit, 50);
    EXPECT_EQ(parse_threshold("max raw_latency >= 150ms").value().limit, 0.15);
    EXPECT_EQ(parse_threshold("p( 99.9 ) schedule_error < 1ms").value().p, 99.9);
    EXPECT_EQ(parse_threshold("avg itl < 20ms").value().statistic, Statistic::average);
    EXPECT_EQ(parse_threshold("dropped <= 0").value().limit, 0);
}

TEST(Thresholds, WrongOnesNameTheColumn) {
    const std::pair<const char*, const char*> cases[] = {{"", "column 1:"},
                                                         {"p95 ttft < 2s", "column 2:"},
                                                         {"p(95 ttft < 2s", "column 6:"},
                                                         {"p(101) ttft < 2s", "column 3:"},
                                                         {"p(95) tttf < 2s", "column 7:"},
                                                         {"p(95) ttft = 2s", "column 12:"},
                                                         {"p(95) ttft < 2", "column 15:"},
                                                         {"p(95) ttft < 2%", "column 15:"},
                                                         {"p(95) ttft <", "column 13:"},
                                                         {"error_rate < 1s", "column 15:"},
                                                         {"rate > 50/m", "column 10:"},
                                                         {"rate > -1", "column 8:"},
                                                         {"dropped < 5 or so", "column 12:"}};
    for (const auto& [text, column] : cases) {
        const auto parsed = parse_threshold(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().code, ErrorCode::invalid_argument);
        EXPECT_THAT(parsed.error().message, HasSubstr(column));
    }
}

constexpr std::int64_t kMs = 1'000'000;

SessionRecord session(std::int64_t intended_ms, std::int64_t start_ms, std::int64_t end_ms, std::optional<Error> error = {}) {
    SessionRecord out;
    out.intended = intended_ms * kMs;
    out.start = start_ms * kMs;
    out.end = end_ms * kMs;
    CallRecord call;
    call.intended = out.intended;
    call.start = out.start;
    call.first = out.start + 10 * kMs;
    call.end = out.end;
    call.pieces = 3;
    call.token_us = {10'000, 20'000, 50'000};
    call.error = std::move(error);
    out.calls.push_back(call);
    return out;
}

// A server that stands still for two seconds under an even load of 100 a second, with a tester that sends on time, and one that waits
// for the answer before it sends the next: the plan's clock sees the same stall in both.
TEST(Stats, LatencyCountsFromTheIntendedStart) {
    LoadPlan plan;
    LoadStats stats(plan);
    LoadOutcome outcome;
    outcome.starts_end = seconds(10);
    for (int i = 0; i < 1000; ++i) {
        const std::int64_t at = 10ll * i;
        const bool stalled = at >= 4000 && at < 6000;
        // The tester is stuck too: it sends late, and then gets its answer at once.
        stats.add(session(at, stalled ? 6000 : at, stalled ? 6020 : at + 20));
    }
    stats.finish(outcome);
    EXPECT_NEAR(stats.of(Metric::latency).percentile(99), 1.92, 1.92 * 0.02);
    EXPECT_NEAR(stats.of(Metric::raw_latency).percentile(99), 0.02, 0.001);
    EXPECT_NEAR(stats.of(Metric::schedule_error).max(), 2, 1e-9);
    EXPECT_NEAR(stats.rate(), 100, 0.2);  // the last call ends in the drain
    EXPECT_NEAR(stats.token_rate(), 300, 0.6);
}

TEST(Stats, WarmupAndDrainAreCutOff) {
    LoadPlan plan;
    plan.warmup = seconds(1);
    LoadStats stats(plan);
    LoadOutcome outcome;
    outcome.starts_end = seconds(3);
    stats.add(session(0, 0, 900));       // warm-up in all
    stats.add(session(900, 900, 1500));  // its end counts for the rate, its latency does not
    stats.add(session(1500, 1500, 2500));
    stats.add(session(2900, 2900, 4000));  // ends in the drain
    stats.finish(outcome);
    EXPECT_EQ(stats.calls(), 2u);
    EXPECT_EQ(stats.sessions(), 2u);
    EXPECT_DOUBLE_EQ(stats.window_s(), 2);
    EXPECT_DOUBLE_EQ(stats.rate(), 1);
    EXPECT_NEAR(stats.of(Metric::latency).max(), 1.1, 1e-9);
    EXPECT_EQ(stats.of(Metric::itl).count(), 4u);
    EXPECT_EQ(stats.timeline().size(), 5u);
    EXPECT_EQ(stats.timeline()[0].started, 2u);
}

TEST(Stats, ErrorsByKind) {
    LoadPlan plan;
    LoadStats stats(plan);
    stats.add(session(0, 0, 1, Error{ErrorCode::http_status, "HTTP 503: no", 503}));
    stats.add(session(0, 0, 1, Error{ErrorCode::http_status, "HTTP 503: later", 503}));
    stats.add(session(0, 0, 1, Error{ErrorCode::timeout, "slow"}));
    auto unfinished = session(0, 0, 1);
    unfinished.unfinished = unfinished.calls[0].unfinished = true;
    stats.add(unfinished);
    for (int i = 0; i < 100; ++i) stats.add(session(0, 0, 1, Error{ErrorCode::http_status, "", 600 + i}));
    stats.finish({});
    EXPECT_EQ(stats.errors().at("http 503").count, 2u);
    EXPECT_EQ(stats.errors().at("http 503").example, "HTTP 503: no");
    EXPECT_EQ(stats.errors().at("timeout").count, 1u);
    EXPECT_EQ(stats.errors().at("unfinished").count, 1u);
    EXPECT_EQ(stats.errors().size(), LoadStats::kMaxErrorKinds + 1);
    EXPECT_EQ(stats.error_rate(), 1);
    EXPECT_EQ(stats.of(Metric::latency).count(), 0u);
    EXPECT_EQ(stats.of(Metric::session).count(), 0u);
}

TEST(Stats, ThresholdsOverNothingFail) {
    LoadPlan plan;
    LoadStats stats(plan);
    stats.finish({});
    for (const char* text : {"p(95) ttft < 2s", "error_rate < 1%", "rate > 0/s"}) {
        const auto checks = check_thresholds({parse_threshold(text).value()}, stats);
        EXPECT_FALSE(checks[0].ok) << text;
    }
}

TEST(Stats, HonestyChecks) {
    LoadPlan plan;
    LoadStats stats(plan);
    for (int i = 0; i < 100; ++i) stats.add(session(0, i < 97 ? 0 : 5, 10));
    LoadOutcome outcome;
    outcome.dropped = 2;
    outcome.peak_calls = 7;
    stats.finish(outcome);
    const auto failed = check_honesty({.max_schedule_error_s = 0.001, .max_dropped = 1, .min_open = 8}, stats, outcome);
    ASSERT_EQ(failed.size(), 3u);
    for (const Check& check : failed) EXPECT_FALSE(check.ok) << check.text;
    const auto good = check_honesty({.max_schedule_error_s = 0.006, .max_dropped = 2, .min_open = 7}, stats, outcome);
    for (const Check& check : good) EXPECT_TRUE(check.ok) << check.text;
    outcome.lost_records = 1;
    EXPECT_FALSE(check_honesty({}, stats, outcome).back().ok);
    outcome = {.started = 3};
    EXPECT_FALSE(check_honesty({}, LoadStats(plan), outcome).back().ok);  // all of them in the warm-up
}

// 600 asked for, 245 descriptors: the others fail at once, and the open ones are seen while they last.
TEST(Stats, CallsThatCouldNotConnectWereNotOpen) {
    LoadPlan plan;
    LoadStats stats(plan);
    LoadOutcome outcome;
    outcome.peak_calls = 600;
    for (int i = 0; i < 600; ++i) {
        SessionRecord record;
        record.calls.push_back({.end = 1'000'000, .token_us = {}});
        if (i < 245)
            record.calls[0].end = 2'000'000'000;
        else
            record.calls[0].error = Error{ErrorCode::connect, "connecting: Too many open files"};
        stats.add(record);
    }
    stats.finish(outcome);
    EXPECT_EQ(stats.peak_connected(), 245);
    EXPECT_FALSE(check_honesty({.min_open = 600}, stats, outcome).at(0).ok);
    // The server had more, or less, than what could be connected.
    const HonestyLimits limits{.min_at_server = 245};
    EXPECT_TRUE(check_honesty(limits, stats, outcome, {.peak = 240, .looks = 10}).at(0).ok);
    EXPECT_FALSE(check_honesty(limits, stats, outcome, {.peak = 160, .looks = 10}).at(0).ok);
    EXPECT_TRUE(check_honesty(limits, stats, outcome, {.peak = 160, .looks = 1}).empty());
    EXPECT_TRUE(check_honesty(limits, stats, outcome, {}).empty());
}

TEST(Plans, CallsAtOnceThatAreAskedFor) {
    LoadPlan plan;
    plan.users = 8;
    plan.duration = seconds(10);
    const ScriptBook talk = make_conversations({{"a", "b"}}, {}), slow_talk = make_conversations({{"a", "b"}}, seconds(1));
    EXPECT_EQ(asked_at_once(plan, talk), 8);
    EXPECT_FALSE(asked_at_once(plan, slow_talk));
    plan.max_sessions = 3;
    EXPECT_EQ(asked_at_once(plan, talk), 3);
    plan.ramp_up = seconds(9);
    EXPECT_FALSE(asked_at_once(plan, talk));  // the first may have asked all before the last begin
    plan.max_sessions = 0;
    plan.ramp_up = seconds(10);
    EXPECT_FALSE(asked_at_once(plan, talk));
    plan.ramp_up = seconds(9);
    EXPECT_TRUE(asked_at_once(plan, talk));
    plan.think = seconds(1);
    EXPECT_FALSE(asked_at_once(plan, talk));
    plan = {};
    plan.open = true;
    EXPECT_FALSE(asked_at_once(plan, talk));
}

TEST(Plans, WhatCannotBe) {
    LoadPlan plan;
    EXPECT_EQ(check_plan(plan).error().code, ErrorCode::invalid_argument);  // endless
    plan.max_sessions = 5;
    EXPECT_TRUE(check_plan(plan));
    plan.users = 0;
    EXPECT_FALSE(check_plan(plan));
    plan.users = 1;
    plan.open = true;
    EXPECT_FALSE(check_plan(plan));  // no arrivals
    plan = {};
    plan.duration = seconds(1);
    plan.warmup = seconds(1);
    EXPECT_FALSE(check_plan(plan));
    plan.open = true;
    plan.arrivals.stages = {{seconds(5), 1, 1}};
    EXPECT_FALSE(check_plan(plan));
    plan.duration = seconds(0);
    EXPECT_TRUE(check_plan(plan));
    plan.warmup = seconds(5);
    EXPECT_FALSE(check_plan(plan));
    plan.warmup = seconds(0);
    plan.threads = 0;
    EXPECT_FALSE(check_plan(plan));
}

}  // namespace
}  // namespace plimsoll::load
