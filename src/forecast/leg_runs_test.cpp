#include "forecast/leg_runs.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "forecast/calc_output.h"
#include "forecast/leg_plan.h"
#include "forecast/sizing_table.h"

namespace plimsoll::forecast {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

RunMeasurement run_of(int concurrency, int repetition, std::initializer_list<double> runtimes) {
    RunMeasurement run{.concurrency = concurrency, .repetition = repetition, .total_runtime = 10, .prompt_tokens = 500, .conditions = "x"};
    for (const double runtime : runtimes)
        run.sessions.push_back({.id = std::to_string(run.sessions.size()),
                                .runtime = runtime,
                                .llm_latency = runtime / 2,
                                .call_latencies = {runtime / 4, runtime / 2}});
    run.llm_latency_p95 = 77;
    run.workflow_runtime_p95 = 88;
    run.completion_tokens = 100;
    return run;
}

TEST(SampleSummary, Student) {
    // Tables of the t distribution, two-sided 95 %.
    EXPECT_NEAR(student_t95(1), 12.706, 1e-3);
    EXPECT_NEAR(student_t95(9), 2.262, 1e-3);
    EXPECT_NEAR(student_t95(1000), 1.962, 1e-3);
    // 1..5: mean 3, s = sqrt(2.5), t(4) = 2.776: 3 ± 1.963.
    const auto summary = summarise_sample({{1}, {2}, {3}, {4}, {5}}, Random(1));
    EXPECT_EQ(summary.n, 5u);
    EXPECT_DOUBLE_EQ(summary.mean, 3);
    EXPECT_DOUBLE_EQ(summary.p95, 4.8);
    EXPECT_DOUBLE_EQ(summary.max, 5);
    ASSERT_TRUE(summary.mean_interval);
    EXPECT_NEAR(summary.mean_interval->low, 3 - 1.9632, 1e-3);
    EXPECT_NEAR(summary.mean_interval->high, 3 + 1.9632, 1e-3);
    ASSERT_TRUE(summary.p95_interval);
    EXPECT_LE(summary.p95_interval->high, 5);
    EXPECT_LT(summary.p95_interval->low, 4.8);
}

TEST(SampleSummary, SmallAndEqualSamples) {
    EXPECT_EQ(summarise_sample({}, Random(1)).n, 0u);
    EXPECT_EQ(summarise_sample({{}, {}}, Random(1)).n, 0u);
    const auto one = summarise_sample({{2, 4}}, Random(1));
    EXPECT_EQ(one.n, 2u);
    EXPECT_DOUBLE_EQ(one.mean, 3);
    EXPECT_FALSE(one.mean_interval || one.p50_interval || one.p95_interval || one.p99_interval);
    const auto equal = summarise_sample({{7}, {7}, {7}}, Random(1));
    EXPECT_DOUBLE_EQ(equal.mean_interval->low, 7);
    EXPECT_DOUBLE_EQ(equal.p95_interval->high, 7);
}

// Of 20 samples of an exponential variable about 95 % of the intervals hold the true mean and the true p95; the range is that of
// a binomial with some undercoverage, which the bootstrap of a tail is known for.
TEST(SampleSummary, IntervalsHoldTheTruth) {
    Random random(11);
    int mean_held = 0, p50_held = 0, p95_held = 0, p99_held = 0;
    constexpr int kSamples = 20;
    for (int sample = 0; sample < kSamples; ++sample) {
        std::vector<std::vector<double>> groups;
        for (int i = 0; i < 80; ++i) groups.push_back({-std::log(1 - random.uniform())});
        const auto summary = summarise_sample(groups, Random(static_cast<std::uint64_t>(sample)));
        const auto holds = [](const Interval& interval, double truth) { return interval.low <= truth && truth <= interval.high; };
        mean_held += holds(summary.mean_interval.value(), 1) ? 1 : 0;
        p50_held += holds(summary.p50_interval.value(), std::log(2)) ? 1 : 0;
        p95_held += holds(summary.p95_interval.value(), std::log(20)) ? 1 : 0;
        p99_held += holds(summary.p99_interval.value(), std::log(100)) ? 1 : 0;
    }
    EXPECT_GE(mean_held, 16);
    EXPECT_GE(p50_held, 16);
    EXPECT_GE(p95_held, 14);
    EXPECT_LT(p99_held, p50_held);                  // 80 samples hold too few of the slowest hundredth, as the header says
    EXPECT_LT(mean_held + p95_held, 2 * kSamples);  // and they are not as wide as to hold everything
}

TEST(SampleSummary, GroupsStayTogether) {
    // A hundred values of only two sessions are two pieces of evidence: the interval reaches from one session to the other.
    const std::vector<double> low(50, 1), high(50, 9);
    const auto summary = summarise_sample({low, high}, Random(1));
    EXPECT_DOUBLE_EQ(summary.mean_interval->low, 1);
    EXPECT_DOUBLE_EQ(summary.mean_interval->high, 9);
}

TEST(SampleSummary, SurvivesJson) {
    const auto summary = summarise_sample({{1}, {2}, {4}}, Random(1));
    const auto again = parse_sample_summary(to_json(summary));
    EXPECT_EQ(to_json(again), to_json(summary));
    EXPECT_EQ(parse_sample_summary(json::value("nothing")).n, 0u);
}

// Question q scores q/10, less `fall` times the doublings, with the same noise at every level.
SessionScores scores_of(int concurrency, int questions, double fall) {
    SessionScores scores;
    for (int q = 0; q < questions; ++q)
        for (int time = 0; time < 2; ++time) {
            const double noise = (q + time) % 2 == 0 ? 0.02 : -0.02;
            scores[fmt::format("q{}{}", q, time == 0 ? "" : "_rep1")] = 0.1 * q - fall * std::log2(concurrency) + noise;
        }
    return scores;
}

TEST(ScoreTrend, TellsAFallFromOtherQuestions) {
    // More questions at the higher levels, and those score higher: means would say that it gets better.
    const auto one = scores_of(1, 2, 0.05), four = scores_of(4, 5, 0.05), eight = scores_of(8, 8, 0.05);
    const std::vector<ScoredLevel> levels = {{1, &one}, {4, &four}, {8, &eight}};
    EXPECT_LT(summarise_scores(one).mean, summarise_scores(eight).mean);
    const auto trend = compute_score_trend("grounded", 1, levels);
    EXPECT_NEAR(trend.change, -0.05, 1e-9);
    EXPECT_EQ(trend.questions, 5);
    EXPECT_EQ(trend.sessions, 4 + 10 + 10);  // the other questions were asked at 8 only
    ASSERT_TRUE(trend.interval);
    EXPECT_LT(trend.interval->high, 0);
    EXPECT_EQ(trend.verdict(), ScoreTrend::Verdict::worse);
    EXPECT_THAT(describe(trend), AllOf(HasSubstr("worse"), HasSubstr("24 sessions, 5 questions")));
    EXPECT_EQ(compute_score_trend("latency", -1, levels).verdict(), ScoreTrend::Verdict::better);
    EXPECT_EQ(compute_score_trend("calls", 0, levels).verdict(), ScoreTrend::Verdict::falls);
    const SessionScores ones = {{"a", 1.1}, {"b", 0.3}, {"c", 7.7}};
    const auto equal = compute_score_trend("calls", 0, {{1, &ones}, {2, &ones}, {4, &ones}});
    EXPECT_EQ(equal.change, 0);
    EXPECT_EQ(equal.interval->high, 0);
    const auto flat_one = scores_of(1, 5, 0), flat_four = scores_of(4, 5, 0);
    EXPECT_EQ(compute_score_trend("grounded", 1, {{1, &flat_one}, {4, &flat_four}}).verdict(), ScoreTrend::Verdict::no_evidence);
}

TEST(ScoreTrend, SaysWhenItCannotTell) {
    const SessionScores a = {{"a", 1}}, b = {{"b", 0}};
    EXPECT_EQ(compute_score_trend("x", 1, {{1, &a}, {2, &b}}).verdict(), ScoreTrend::Verdict::unknown);  // no question twice
    EXPECT_EQ(compute_score_trend("x", 1, {{1, &a}, {2, &a}}).verdict(), ScoreTrend::Verdict::unknown);  // no spread to judge by
    EXPECT_EQ(compute_score_trend("x", 1, {}).verdict(), ScoreTrend::Verdict::unknown);
    EXPECT_EQ(compute_score_trend("x", 1, {{2, &a}, {2, &a}, {2, &a}}).verdict(), ScoreTrend::Verdict::unknown);
}

TEST(ScoreTrend, QuestionsAreTheSameInEveryRunAndRepetition) {
    EXPECT_EQ(question_of("run2/q7_rep1"), "q7");
    EXPECT_EQ(question_of("q7"), "q7");
    EXPECT_EQ(question_of("runner/q_repeat"), "runner/q_repeat");
    EXPECT_EQ(question_of("_rep1"), "_rep1");
    EXPECT_EQ(question_of("run1/"), "");
}

// The 95 % interval of a slope of zero holds zero in about 95 of 100 samples.
TEST(ScoreTrend, IntervalsHoldTheTruth) {
    Random random(5);
    int held = 0;
    constexpr int kSamples = 100;
    for (int sample = 0; sample < kSamples; ++sample) {
        SessionScores scores[4];
        std::vector<ScoredLevel> levels;
        for (int i = 0; i < 4; ++i) {
            for (int q = 0; q < 6; ++q) scores[i][std::to_string(q)] = q + random.uniform();
            levels.push_back({1 << i, &scores[i]});
        }
        held += compute_score_trend("x", 1, levels).verdict() == ScoreTrend::Verdict::no_evidence ? 1 : 0;
    }
    EXPECT_GE(held, 90);
    EXPECT_LE(held, 99);
}

TEST(SloRule, Reads) {
    const auto rule = parse_slo_rule("p95 workflow < 120s");
    ASSERT_TRUE(rule) << rule.error().message;
    EXPECT_EQ(rule->metric, SloRule::Metric::workflow);
    EXPECT_EQ(rule->stat, &SampleSummary::p95);
    EXPECT_EQ(rule->limit, 120);
    EXPECT_DOUBLE_EQ(parse_slo_rule(" mean  llm<=250ms ")->limit, 0.25);
    EXPECT_EQ(parse_slo_rule("max workflow < 2 min")->limit, 120);
    EXPECT_EQ(parse_slo_rule("p50 workflow < 3")->limit, 3);
    EXPECT_DOUBLE_EQ(parse_slo_rule("error_rate < 0.5%")->limit, 0.005);
    for (const char* text : {"", "p95", "p95 workflow", "p95 workflow <", "p95 workflow > 3s", "p94 workflow < 3s", "p95 tools < 3s",
                             "p95 workflow < 3 parsecs", "p95 workflow < -1s", "p95 workflow < 0", "p95 workflow < 1e99s", "error_rate < 1",
                             "error_rate < 1s", "p95 workflow < 3s and more", "<", "p95 workflow < nan"})
        EXPECT_EQ(parse_slo_rule(text).error().code, ErrorCode::invalid_argument) << text;
}

TEST(LegRuns, ASingleRunKeepsNatsNumbers) {
    auto run = run_of(4, 1, {1, 2, 3});
    run.sessions[2].failed = true;
    const auto leg = pool_runs(std::vector{run});
    EXPECT_EQ(leg.workflow_runtime_p95, 88);
    EXPECT_EQ(leg.llm_latency_p95, 77);
    EXPECT_EQ(leg.sessions, 3);
    EXPECT_EQ(leg.failed, 1);
    EXPECT_NEAR(leg.error_rate(), 1.0 / 3, 1e-12);
    EXPECT_EQ(leg.items.size(), 2u);
    ASSERT_TRUE(leg.statistics);
    EXPECT_EQ(leg.statistics->workflow_runtime.n, 2u);
    EXPECT_EQ(leg.statistics->llm_latency.n, 4u);
    EXPECT_DOUBLE_EQ(leg.sessions_per_second(), 0.2);
    EXPECT_DOUBLE_EQ(leg.statistics->completion_tokens_per_second, 10);
}

TEST(LegRuns, SeveralRunsArePooled) {
    auto first = run_of(4, 1, {1, 2});
    auto second = run_of(4, 2, {3, 4, 5});
    for (auto& session : first.sessions) session.scores = {{"quality", 1.0}};
    for (auto& session : second.sessions) session.scores = {{"quality", 0.5}};
    const auto legs = pool_legs({run_of(8, 1, {9}), first, second});
    ASSERT_EQ(legs.size(), 2u);
    EXPECT_EQ(legs[0].concurrency, 8);
    const LegResult& leg = legs[1];
    EXPECT_DOUBLE_EQ(leg.workflow_runtime_p95, 4.8);
    EXPECT_EQ(leg.items.size(), 5u);
    EXPECT_EQ(leg.items.at("run2/0").workflow_runtime, 3);
    EXPECT_DOUBLE_EQ(leg.total_runtime, 20);
    EXPECT_EQ(leg.statistics->runs, 2);
    const SampleSummary& quality = leg.statistics->scores.at("quality");
    EXPECT_DOUBLE_EQ(quality.mean, (2 * 1.0 + 3 * 0.5) / 5);
    EXPECT_LT(quality.mean_interval->low, quality.mean);
    EXPECT_EQ(leg.statistics->session_scores.at("quality").at("run2/2"), 0.5);
}

TEST(LegRuns, SurviveJson) {
    auto run = run_of(4, 2, {1, 2});
    run.sessions[0].failed = true;
    run.sessions[1].scores = {{"a", 0.5}};
    run.better = {{"a", -1}};
    run.findings = {"The machine was busy."};
    const auto again = parse_run_measurement(to_json(run));
    ASSERT_TRUE(again);
    EXPECT_EQ(to_json(*again), to_json(run));
    for (const char* text : {"{}", "[]", R"({"concurrency":0,"repetition":1,"interrupted":false,"sessions":[]})",
                             R"({"concurrency":1,"repetition":1,"interrupted":false,"sessions":[{}]})",
                             R"({"concurrency":1,"repetition":1,"interrupted":0,"sessions":[]})"})
        EXPECT_EQ(parse_run_measurement(parse_json(text).value()).error().code, ErrorCode::parse) << text;
}

TEST(LegRuns, GoodputCountsWhatKeepsTheSlo) {
    auto run = run_of(2, 1, {1, 2, 3, 4});
    run.sessions[3].failed = true;
    const auto leg = pool_runs(std::vector{run});
    const std::vector<SloRule> rules = {*parse_slo_rule("p95 workflow < 2.5s"), *parse_slo_rule("error_rate < 50%")};
    const auto outcome = evaluate_slo(rules, leg);
    EXPECT_FALSE(outcome.kept);  // p95 of 1, 2, 3 is 2.9
    EXPECT_THAT(outcome.observed, ElementsAre(testing::DoubleNear(2.9, 1e-9), 0.25));
    EXPECT_EQ(outcome.good_sessions, 2);
    EXPECT_DOUBLE_EQ(outcome.goodput, 0.2);
    EXPECT_TRUE(evaluate_slo({*parse_slo_rule("p50 workflow < 2.5s")}, leg).kept);
    EXPECT_FALSE(evaluate_slo({*parse_slo_rule("error_rate < 25%")}, leg).kept);
    EXPECT_FALSE(evaluate_slo({*parse_slo_rule("p95 workflow < 9s")}, LegResult{.concurrency = 1}).kept);  // nothing finished
}

TEST(LegRuns, ACauseIsSaidOnce) {
    std::vector<RunMeasurement> runs = {run_of(4, 1, {1}), run_of(4, 2, {1}), run_of(4, 3, {1})};
    runs[0].findings = {"Node busy: 93 % in use."};
    runs[2].findings = {"Node busy: 97 % in use.", "CPU limit too low: 60 %."};
    EXPECT_THAT(pool_runs(runs).statistics->findings,
                ElementsAre("Node busy: 93 % in use. (In 2 of 3 runs.)", "CPU limit too low: 60 %. (In 1 of 3 runs.)"));
}

TEST(LegRuns, OutputHoldsThemAndReadsThemBack) {
    auto one = run_of(1, 1, {1, 1, 1}), two = run_of(2, 1, {2, 2, 3});
    for (auto* run : {&one, &two})
        for (auto& session : run->sessions) session.scores = {{"quality", 0.75}};
    two.findings = {"The machine was busy."};
    const auto result = compute_sizing({.legs = pool_legs({one, two}), .slo = {*parse_slo_rule("p95 workflow < 1.5s")}});
    EXPECT_THAT(result.slo_answer, AllOf(HasSubstr("up to 1 "), HasSubstr("broken at 2")));
    const auto output = to_json(result);
    const auto& own = output.at("plimsoll").at("legs").at("2");
    EXPECT_EQ(own.at("slo").at("kept"), false);
    EXPECT_EQ(own.at("statistics").at("findings").at(0), "The machine was busy.");
    EXPECT_THAT(result.warnings, testing::Contains(HasSubstr("At concurrency 2: The machine was busy.")));
    EXPECT_EQ(own.at("statistics").at("workflow_runtime").at("n"), 3);
    EXPECT_EQ(own.at("statistics").at("scores").at("quality"), 0.75);
    EXPECT_EQ(parse_asked_for(output)->slo.at(0).limit, 1.5);
    const auto legs = parse_calc_output(output);
    ASSERT_TRUE(legs);
    const auto again = compute_sizing({.legs = *legs, .slo = result.slo});
    EXPECT_EQ(to_json(again), output);
    EXPECT_THAT(statistics_table(result), AllOf(HasSubstr("quality"), HasSubstr("kept"), HasSubstr("broken")));
    EXPECT_EQ(statistics_table(compute_sizing({.legs = {{.concurrency = 1}}})), "");
}

TEST(LegPlan, Orders) {
    EXPECT_THAT(order_runs({4, 1}, 2, RunOrder::given, 0), ElementsAre(RunKey{4, 1}, RunKey{1, 1}, RunKey{4, 2}, RunKey{1, 2}));
    const std::vector<int> ladder = {1, 2, 4, 8, 16};
    const auto shuffled = order_runs(ladder, 3, RunOrder::random, 5);
    EXPECT_THAT(shuffled, testing::UnorderedElementsAreArray(order_runs(ladder, 3, RunOrder::given, 5)));
    EXPECT_EQ(shuffled, order_runs(ladder, 3, RunOrder::random, 5));
    EXPECT_NE(shuffled, order_runs(ladder, 3, RunOrder::random, 6));
    EXPECT_NE(shuffled, order_runs(ladder, 3, RunOrder::given, 5));
}

// Asks for levels until it is content.
std::vector<int> search(int lowest, int highest, auto measure) {
    std::vector<PlannedLevel> levels;
    std::vector<int> asked;
    while (const auto next = choose_level(levels, lowest, highest)) {
        asked.push_back(next->concurrency);
        levels.push_back(measure(next->concurrency));
        EXPECT_LE(asked.size(), kMaxAdaptiveLevels);
    }
    return asked;
}

TEST(LegPlan, ClosesInOnTheSlo) {
    const auto broken_beyond = [](int limit) { return [limit](int c) { return PlannedLevel{.concurrency = c, .keeps = c <= limit}; }; };
    EXPECT_THAT(search(1, 64, broken_beyond(21)), ElementsAre(1, 2, 4, 8, 16, 32, 23, 19));  // 19 keeps, 23 does not
    EXPECT_THAT(search(1, 64, broken_beyond(0)), ElementsAre(1));
    EXPECT_THAT(search(1, 10, broken_beyond(100)), ElementsAre(1, 2, 4, 8, 10));
    EXPECT_THAT(search(3, 3, broken_beyond(100)), ElementsAre(3));
    EXPECT_THAT(search(1, 64, broken_beyond(2)), ElementsAre(1, 2, 4, 3));
}

TEST(LegPlan, ClosesInOnTheKnee) {
    // 1 session a second for each at once, up to 12 a second.
    const auto knee = search(1, 1000, [](int c) { return PlannedLevel{.concurrency = c, .throughput = std::min(12.0, 1.0 * c)}; });
    EXPECT_THAT(knee, ElementsAre(1, 2, 4, 8, 16, 32, 23, 19));
    // Never grows: the second level is already past it.
    EXPECT_THAT(search(1, 1000, [](int c) { return PlannedLevel{.concurrency = c, .throughput = 5}; }), ElementsAre(1, 2));
}

TEST(LegPlan, FindsTheKnee) {
    const auto knee_of = [](std::initializer_list<double> throughputs) {
        std::vector<PlannedLevel> levels;
        for (const double throughput : throughputs) levels.push_back({.concurrency = 1 << levels.size(), .throughput = throughput});
        return find_knee(levels);
    };
    EXPECT_EQ(knee_of({1, 2, 3, 3.1}), 4);
    EXPECT_EQ(knee_of({1, 2, 4, 8}), std::nullopt);  // it may still grow
    EXPECT_EQ(knee_of({5, 5, 5}), 1);
    EXPECT_EQ(knee_of({1, 4, 2, 1}), 2);  // falls beyond it
    EXPECT_EQ(knee_of({3}), std::nullopt);
    EXPECT_EQ(knee_of({}), std::nullopt);
    EXPECT_EQ(knee_of({0, 0}), std::nullopt);
}

TEST(LegRuns, SayThatConfigsDiffer) {
    auto one = run_of(1, 1, {1, 2}), two = run_of(2, 1, {1, 2});
    one.conditions = "abc passes=2 endpoint=";
    two.conditions = "abc passes=5 endpoint=";
    const auto says = [&] {
        const auto result = compute_sizing({.legs = pool_legs({one, two})});
        const auto again = compute_sizing({.legs = parse_calc_output(to_json(result)).value()});
        EXPECT_EQ(again.warnings, result.warnings);
        return std::ranges::any_of(result.warnings, [](const auto& text) { return text.contains("another config"); });
    };
    EXPECT_FALSE(says());  // more sessions of the same
    two.conditions = "def passes=2 endpoint=";
    EXPECT_TRUE(says());
}

TEST(LegRuns, SayTheKneeAndWhetherScoresChange) {
    const auto leg = [](int concurrency, double seconds) {
        auto run = run_of(concurrency, 1, {1, 2, 3, 4});
        run.total_runtime = seconds;
        run.better = {{"quality", 1}};
        for (auto& session : run.sessions) session.scores = {{"quality", 1.0 / concurrency}};
        return run;
    };
    const auto result = compute_sizing({.legs = pool_legs({leg(1, 40), leg(2, 20), leg(4, 19)})});
    EXPECT_EQ(result.knee, 2);
    EXPECT_THAT(result.throughput_answer, AllOf(HasSubstr("at 2 sessions at once"), HasSubstr("12 sessions a minute")));
    ASSERT_EQ(result.score_trends.size(), 1u);
    EXPECT_THAT(sizing_notes(result), AllOf(HasSubstr("quality: worse under load"), HasSubstr(result.throughput_answer)));
    EXPECT_EQ(to_json(result).at("plimsoll").at("knee"), 2);
    EXPECT_EQ(to_json(result).at("plimsoll").at("score_trends").at(0).at("verdict"), "worse");
    EXPECT_EQ(compute_sizing({.legs = pool_legs({leg(1, 40), leg(2, 20)})}).knee, std::nullopt);
}

}  // namespace
}  // namespace plimsoll::forecast
