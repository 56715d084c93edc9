// How good are the forecasts? Measures agents on simulated servers at concurrencies up to 32 (truth.h), forecasts 64, 100 and
// 200 users, and compares with the truth: error, coverage and width of the intervals, what unknown or wrong limits do, replica
// counts, and NAT's straight line on the same data.
//
//   forecast_study [--seeds N] [--first_seed N] [--draws N] [--only SUBSTRING] [--replicas]
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <map>

#include "base/stats.h"
#include "forecast/forecast.h"
#include "truth.h"

namespace {

using namespace plimsoll;
using namespace study;

struct Case {
    std::string name;
    ServerTruth server;
    Shape shape;
    double prompt_scale = 1;
};

std::vector<Case> make_cases() {
    const ServerTruth base;
    std::vector<Case> cases;
    const auto add = [&](std::string name, Shape shape, double prompt_scale, auto change) {
        Case one{std::move(name), base, shape, prompt_scale};
        change(one.server);
        cases.push_back(std::move(one));
    };
    add("few slots, research", Shape::research, 1, [](auto& s) { s.slots = 24; });
    add("few slots, loop", Shape::loop, 1, [](auto& s) { s.slots = 12; });
    add("many slots, research", Shape::research, 1, [](auto& s) {
        s.slots = 256;
        s.kv_tokens = 3'000'000;
    });
    add("many slots, loop", Shape::loop, 1, [](auto& s) {
        s.slots = 256;
        s.kv_tokens = 3'000'000;
    });
    add("KV bound, research", Shape::research, 1, [](auto& s) {
        s.slots = 256;
        s.kv_tokens = 220'000;
    });
    add("KV bound, map-reduce", Shape::map_reduce, 1, [](auto& s) {
        s.slots = 256;
        s.kv_tokens = 120'000;
    });
    add("long prompts, research", Shape::research, 2.5, [](auto& s) {
        s.slots = 128;
        s.kv_tokens = 4'000'000;
        s.batch_tokens = 8192;
        s.d = 1.6e-5;
    });
    add("prompts not chunked, map-reduce", Shape::map_reduce, 1, [](auto& s) {
        s.slots = 96;
        s.chunked = false;
        s.batch_tokens = 16384;
    });
    add("prompts not chunked, research", Shape::research, 1, [](auto& s) {
        s.slots = 64;
        s.chunked = false;
        s.batch_tokens = 16384;
        s.law = Law::additive;
    });
    add("4 replicas least loaded, research", Shape::research, 1, [](auto& s) {
        s.replicas = 4;
        s.route = Route::least_loaded;
        s.slots = 32;
    });
    add("4 replicas random, loop", Shape::loop, 1, [](auto& s) {
        s.replicas = 4;
        s.route = Route::random;
        s.slots = 16;
    });
    add("2 replicas, 12 searches, research", Shape::research, 1, [](auto& s) {
        s.replicas = 2;
        s.slots = 96;
        s.search_servers = 12;
    });
    add("additive law, loop", Shape::loop, 1.5, [](auto& s) {
        s.law = Law::additive;
        s.slots = 64;
    });
    add("staircase law, research", Shape::research, 0.7, [](auto& s) {
        s.law = Law::staircase;
        s.slots = 80;
    });
    return cases;
}

constexpr int kMeasured[] = {1, 2, 4, 8, 16, 32};
constexpr int kTargets[] = {64, 100, 200};
constexpr int kTruthRounds = 8;  // sessions a user, and at least so many of all
constexpr int kTruthSessions = 800;

forecast::Limits true_limits(const ServerTruth& server) {
    forecast::EndpointLimits one;
    one.replicas = server.replicas;
    one.routing = server.route == Route::round_robin ? forecast::Routing::round_robin
                  : server.route == Route::random    ? forecast::Routing::random
                                                     : forecast::Routing::least_loaded;
    one.max_num_seqs = server.slots;
    one.kv_tokens = server.kv_tokens;
    one.max_batched_tokens = server.batch_tokens;
    one.chunked_prefill = server.chunked;
    forecast::Limits limits;
    limits.endpoints["model-a"] = one;
    return limits;
}

struct Tally {
    std::vector<double> errors, widths;
    int covered = 0, refused = 0, silent_misses = 0, said_misses = 0;
    double worst = 0;
    std::string worst_case;

    void add(const std::string& name, const forecast::ForecastInterval& interval, double truth) {
        const double error = interval.value / truth - 1;
        errors.push_back(std::abs(error));
        widths.push_back((interval.high - interval.low) / interval.value);
        covered += interval.low <= truth && truth <= interval.high;
        if (std::abs(error) <= std::abs(worst)) return;
        worst = error;
        worst_case = name;
    }
    void print(const char* name) const {
        if (errors.empty()) return;
        std::printf("%-34s n %3zu  MAPE %5.1f %%  worst %+6.1f %% (%s)  inside 90 %% interval %5.1f %%  mean width %5.1f %%\n", name,
                    errors.size(), 100 * mean(errors), 100 * worst, worst_case.c_str(),
                    100.0 * covered / static_cast<double>(errors.size()), 100 * mean(widths));
    }
};

// Replica counts against the smallest true one.
struct SizeTally {
    std::vector<double> errors;  // relative
    int near = 0, too_few = 0;   // within 1 or 8 %; below by more than 5 %

    void add(int count, int truth) {
        const double error = static_cast<double>(count) / truth - 1;
        errors.push_back(error);
        near += std::abs(count - truth) <= 1 || std::abs(error) <= 0.08;
        too_few += error < -0.05;
    }
    void print(const char* name) const {
        if (errors.empty()) return;
        const auto n = static_cast<double>(errors.size());
        std::printf("%-34s n %3zu  mean %+.0f %%  median %+.0f %%  within 1 or 8 %% %.0f %%  too few by more than 5 %% %.0f %%\n", name,
                    errors.size(), 100 * mean(errors), 100 * percentile(errors, 50), 100 * near / n, 100 * too_few / n);
    }
};

struct Study {
    int draws = 100;
    bool replicas = false;
    Tally known, line, without_limits, wrong_limits;
    std::map<int, Tally> by_users;
    double forecast_seconds = 0;
    int forecasts = 0;
    SizeTally needed, expected;

    void run(const Case& one, std::uint64_t seed) {
        std::vector<forecast::LevelTraces> levels;
        for (const int c : kMeasured) {
            Run measured = run_truth(one.server, one.shape, one.prompt_scale, seed, c, std::max(30, 5 * c), true);
            levels.push_back({c, fmt::format("c{}", c), std::move(measured.traces)});
        }
        const auto recording = forecast::make_recording(levels);
        if (!recording) return fail(one, recording.error());
        std::map<int, double> truth;
        for (const int users : kTargets)
            truth[users] = run_truth(one.server, one.shape, one.prompt_scale, seed + 1000, users,
                                     std::max(kTruthSessions, kTruthRounds * users), false)
                               .p95;
        std::printf("%s, seed %d\n", one.name.c_str(), static_cast<int>(seed));
        with_true_limits(one, *recording, truth);
        with_other_limits(one, "unknown", {}, *recording, truth, without_limits);
        ServerTruth wrong = one.server;
        wrong.slots *= 4;
        wrong.kv_tokens *= 4;
        with_other_limits(one, "wrong", true_limits(wrong), *recording, truth, wrong_limits);
        if (replicas) size(one, seed, *recording);
    }

    static void fail(const Case& one, const Error& error) { std::printf("%s: %s\n", one.name.c_str(), error.message.c_str()); }

    Result<forecast::ForecastResult> forecast(const forecast::Recording& recording, forecast::Limits limits) {
        forecast::ForecastRequest request;
        request.users.assign(std::begin(kTargets), std::end(kTargets));
        request.limits = std::move(limits);
        request.draws = draws;
        const std::clock_t begin = std::clock();
        auto result = forecast::make_forecast(recording, request);
        forecast_seconds += static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
        ++forecasts;
        return result;
    }

    void with_true_limits(const Case& one, const forecast::Recording& recording, const std::map<int, double>& truth) {
        const auto result = forecast(recording, true_limits(one.server));
        if (!result) return fail(one, result.error());
        for (const auto& at : result->forecasts) {
            const double is = truth.at(at.users);
            known.add(one.name, at.workflow_p95, is);
            by_users[at.users].add(one.name, at.workflow_p95, is);
            const auto straight = result->nat_linear.find(at.users);
            if (straight != result->nat_linear.end()) line.add(one.name, {straight->second, 0, 0}, is);
            std::printf("  %4d users: truth %7.1f  forecast %7.1f (%+5.1f %%)  %7.1f … %-7.1f%s  NAT %7.1f |", at.users, is,
                        at.workflow_p95.value, 100 * (at.workflow_p95.value / is - 1), at.workflow_p95.low, at.workflow_p95.high,
                        at.workflow_p95.low <= is && is <= at.workflow_p95.high ? " " : "!",
                        straight != result->nat_linear.end() ? straight->second : 0);
            for (const auto& form : result->forms)
                std::printf(" %.0f (%.2f)", form.p95[static_cast<std::size_t>(&at - result->forecasts.data())], form.weight);
            std::printf("\n");
        }
        std::printf("  %s; knee %d; held out %+.1f %%%s%s\n", result->bottleneck.c_str(), result->knee_users,
                    result->held_out ? 100 * result->held_out->error() : 0, result->refused ? "; REFUSED " : "",
                    result->refused.value_or("").c_str());
    }

    // A miss is silent when the answer was not refused and neither its interval nor what it says of wrong limits holds the truth.
    void with_other_limits(const Case& one, const char* what, forecast::Limits limits, const forecast::Recording& recording,
                           const std::map<int, double>& truth, Tally& tally) {
        if (limits.endpoints.empty()) {
            limits.endpoints["model-a"].replicas = one.server.replicas;
        }
        const auto result = forecast(recording, std::move(limits));
        if (!result) return fail(one, result.error());
        std::string line;
        for (const auto& at : result->forecasts) {
            const double is = truth.at(at.users);
            const double error = at.workflow_p95.value / is - 1;
            const bool missed = std::abs(error) > 0.2;
            const double high = at.if_limit_is_wrong ? at.if_limit_is_wrong->high : at.workflow_p95.high;
            const bool inside = at.workflow_p95.low <= is && is <= high;
            if (result->refused) ++tally.refused;
            if (!result->refused) tally.add(one.name, at.workflow_p95, is);
            if (missed && !result->refused) ++(inside ? tally.said_misses : tally.silent_misses);
            line += fmt::format("  {:+.0f} %{}", 100 * error, inside ? "" : "!");
        }
        std::printf("  limits %s:%s%s\n", what, line.c_str(), result->refused ? "  refused" : "");
    }

    void size(const Case& one, std::uint64_t seed, const forecast::Recording& recording) {
        constexpr double kFactors[] = {1.3, 1.6, 2.5};
        constexpr int kUsers = 200, kMost = 128;
        const double alone = recording.levels.front().p95();
        for (const double factor : kFactors) {
            forecast::ForecastRequest request;
            request.users = {kUsers};
            request.limits = true_limits(one.server);
            request.draws = draws;
            request.slo = forecast::Slo{forecast::Slo::Metric::workflow, factor * alone};
            const auto result = forecast::make_forecast(recording, request);
            if (!result) return fail(one, result.error());
            const auto meets = [&](int count) {
                ServerTruth server = one.server;
                server.replicas = count;
                return run_truth(server, one.shape, one.prompt_scale, seed + 2000, kUsers, 8 * kUsers, false).p95 <= request.slo->seconds;
            };
            int low = 0, high = 1;
            while (high < kMost && !meets(high)) {
                low = high;
                high *= 2;
            }
            while (high - low > 1) (meets((low + high) / 2) ? high : low) = (low + high) / 2;
            const forecast::UsersForecast& answer = result->forecasts.front();
            const auto shown = [](const std::optional<int>& count) { return count ? std::to_string(*count) : std::string("none"); };
            std::printf("  SLO %.0f s (%.1f x alone): truth %d replicas%s, forecast %s expected, %s needed\n", request.slo->seconds, factor,
                        high, high >= kMost ? " or more" : "", shown(answer.replicas_expected).c_str(),
                        shown(answer.replicas_needed).c_str());
            if (high >= kMost) continue;
            if (answer.replicas_needed) needed.add(*answer.replicas_needed, high);
            if (answer.replicas_expected) expected.add(*answer.replicas_expected, high);
        }
    }

    void print() const {
        std::printf("\n");
        known.print("limits known");
        for (const auto& [users, tally] : by_users) tally.print(fmt::format("  {} users", users).c_str());
        line.print("NAT's line");
        for (const auto& [name, tally] : {std::pair{"limits unknown", &without_limits}, std::pair{"limits 4 x too high", &wrong_limits}}) {
            tally->print(name);
            std::printf("%-34s refused %d, misses over 20 %% that the answer allows for %d, silent %d\n", name, tally->refused,
                        tally->said_misses, tally->silent_misses);
        }
        needed.print("replicas, upper bound meets it");
        expected.print("replicas, value meets it");
        std::printf("%.2f s of CPU a forecast of 3 targets\n", forecast_seconds / std::max(1, forecasts));
    }

    // What a forecast promises; prints each gate with what came of it.
    bool passes() const {
        bool all = true;
        const auto gate = [&](const char* what, double value, double low, double high) {
            const bool ok = low <= value && value <= high;
            all = all && ok;
            std::printf("%-6s %s: %.1f\n", ok ? "ok" : "FAILED", what, value);
        };
        const auto n = static_cast<double>(known.errors.size());
        gate("mean error, at most 8 %", 100 * mean(known.errors), 0, 8);
        gate("worst error, at most 20 %", 100 * std::abs(known.worst), 0, 20);
        gate("truths inside the 90 % interval, 85 to 95 %", 100 * known.covered / n, 85, 95);
        gate("mean width of the interval, at most 30 %", 100 * mean(known.widths), 0, 30);
        gate("silent misses with unknown limits, none", without_limits.silent_misses, 0, 0);
        gate("silent misses with wrong limits, none", wrong_limits.silent_misses, 0, 0);
        if (!needed.errors.empty()) gate("replica counts too few by more than 5 %, none", needed.too_few, 0, 0);
        return all;
    }
};

}  // namespace

int main(int argc, char** argv) {
    Study study;
    int seeds = 3, first_seed = 1;
    std::string only;
    CLI::App app{"compares forecasts with simulated truth"};
    app.add_option("--seeds", seeds, "repetitions of every case");
    app.add_option("--first_seed", first_seed, "seed of the first repetition");
    app.add_option("--draws", study.draws, "bootstrap draws of a forecast");
    app.add_option("--only", only, "cases whose name holds this");
    app.add_flag("--replicas", study.replicas, "compare replica counts too");
    CLI11_PARSE(app, argc, argv);
    for (const Case& one : make_cases())
        for (int seed = first_seed; seed < first_seed + seeds; ++seed)
            if (one.name.contains(only)) study.run(one, static_cast<std::uint64_t>(seed));
    study.print();
    return study.passes() ? 0 : 1;
}
