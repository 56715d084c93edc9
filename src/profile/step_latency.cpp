#include "profile/step_latency.h"

#include <algorithm>
#include <map>

#include "base/json.h"
#include "base/stats.h"

namespace plimsoll::profile {
namespace {

struct Samples {
    std::vector<double> latencies, first_tokens;
    std::int64_t completion_tokens = 0;
    double token_seconds = 0;  // of the calls that reported tokens
    std::size_t errors = 0, unfinished = 0;
    double self_time = 0;

    void add(const Call& call, std::int64_t tokens) {
        self_time += call.self_time;
        if (!call.finished) {
            ++unfinished;
        } else if (call.failed) {
            ++errors;
        } else {
            latencies.push_back(call.duration());
            if (call.tokens > 0) first_tokens.push_back(call.first_token - call.start);
            if (tokens <= 0) return;
            completion_tokens += tokens;
            token_seconds += call.duration();
        }
    }
};

StepLatency make_row(event::Category category, std::string name, Samples samples, double total_self_time) {
    std::ranges::sort(samples.latencies);
    std::ranges::sort(samples.first_tokens);
    StepLatency row{.category = category, .name = std::move(name)};
    row.n = samples.latencies.size();
    row.mean = mean(samples.latencies);
    row.p50 = sorted_percentile(samples.latencies, 50);
    row.p95 = sorted_percentile(samples.latencies, 95);
    row.p99 = sorted_percentile(samples.latencies, 99);
    if (!samples.first_tokens.empty()) {
        row.ttft_p50 = sorted_percentile(samples.first_tokens, 50);
        row.ttft_p95 = sorted_percentile(samples.first_tokens, 95);
    }
    if (samples.token_seconds > 0) row.tokens_per_s = static_cast<double>(samples.completion_tokens) / samples.token_seconds;
    row.errors = samples.errors;
    row.unfinished = samples.unfinished;
    if (total_self_time > 0) row.self_time_share = samples.self_time / total_self_time;
    return row;
}

json::value number_or_null(const std::optional<double>& number) { return number ? json::value(*number) : json::value(nullptr); }

}  // namespace

std::vector<StepLatency> compute_step_latencies(const RunGraph& graph) {
    std::map<std::pair<event::Category, std::string_view>, Samples> groups;
    double total_self_time = 0;
    for (const SessionRow& session : graph.sessions)
        for (const Call& call : make_call_tree(graph, session, is_call)) {
            groups[{call.category, graph.shown_name(call)}].add(call, graph.usage_of(call).completion_tokens);
            total_self_time += call.self_time;
        }
    std::vector<StepLatency> rows;
    rows.reserve(groups.size());
    for (auto& [key, samples] : groups) rows.push_back(make_row(key.first, std::string(key.second), std::move(samples), total_self_time));
    std::ranges::stable_sort(rows, std::greater(), &StepLatency::self_time_share);
    return rows;
}

json::value to_json(const std::vector<StepLatency>& rows) {
    json::array out;
    for (const auto& row : rows)
        out.push_back({{"category", event::to_string(row.category)},
                       {"name", row.name},
                       {"n", row.n},
                       {"mean", row.mean},
                       {"p50", row.p50},
                       {"p95", row.p95},
                       {"p99", row.p99},
                       {"ttft_p50", number_or_null(row.ttft_p50)},
                       {"ttft_p95", number_or_null(row.ttft_p95)},
                       {"tokens_per_s", number_or_null(row.tokens_per_s)},
                       {"errors", row.errors},
                       {"unfinished", row.unfinished},
                       {"self_time_share", row.self_time_share}});
    return out;
}

}  // namespace plimsoll::profile
