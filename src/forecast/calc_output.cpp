#include "forecast/calc_output.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace plimsoll::forecast {
namespace {

json::value number_or_null(const std::optional<double>& number) { return number ? json::value(*number) : json::value(nullptr); }

json::value gpus_or_null(const std::optional<GpuEstimate>& estimate) {
    // An upper bound is no estimate: it stands under "plimsoll" only.
    if (!estimate || estimate->capacity_not_reached) return nullptr;
    return estimate->gpus;
}

json::value fit_to_json(const std::optional<LinearFit>& fit) {
    if (!fit) return nullptr;
    return {{"slope", fit->slope},
            {"intercept", fit->intercept},
            {"r_squared", fit->r_squared},
            {"outliers_removed", json::array(fit->outliers_removed.begin(), fit->outliers_removed.end())}};
}

json::value metrics_to_json(const LegResult& leg) {
    json::object items;
    for (const auto& [id, item] : leg.items) items[id] = {{"llm_latency", item.llm_latency}, {"workflow_runtime", item.workflow_runtime}};
    return {{"alerts", {{"workflow_interrupted", leg.interrupted}}},
            {"llm_latency_p95", leg.llm_latency_p95},
            {"workflow_runtime_p95", leg.workflow_runtime_p95},
            {"total_runtime", leg.total_runtime},
            {"per_item_metrics", std::move(items)}};
}

json::value leg_to_json(const LegSizing& sizing) {
    return {{"gpu_estimates",
             {{"gpu_estimate_by_wf_runtime", number_or_null(sizing.gpus_by_workflow_runtime)},
              {"gpu_estimate_by_llm_latency", number_or_null(sizing.gpus_by_llm_latency)}}},
            {"alerts",
             {{"outlier_workflow_runtime", sizing.outlier_workflow_runtime},
              {"outlier_llm_latency", sizing.outlier_llm_latency},
              {"num_items_greater_than_target_latency", sizing.items_over_llm_latency},
              {"num_items_greater_than_target_runtime", sizing.items_over_workflow_runtime}}},
            {"sizing_metrics", metrics_to_json(sizing.leg)}};
}

json::value metric_to_own_json(const MetricSizing& sizing) {
    json::object out = {{"reason", sizing.reason}, {"flat", sizing.fit && sizing.fit->flat}};
    if (sizing.estimate) {
        out["sessions_at_target"] = sizing.estimate->sessions_at_target;
        out["capacity_not_reached"] = sizing.estimate->capacity_not_reached;
        out[sizing.estimate->capacity_not_reached ? "gpus_at_most" : "gpus"] = sizing.estimate->gpus;
    }
    if (sizing.held_out)
        out["held_out"] = {{"concurrency", sizing.held_out->concurrency},
                           {"predicted", sizing.held_out->predicted},
                           {"measured", sizing.held_out->measured},
                           {"relative_error", sizing.held_out->relative_error()}};
    return out;
}

json::value statistics_to_json(const LegStatistics& statistics, double sessions_per_second) {
    json::object scores, intervals;
    for (const auto& [name, score] : statistics.scores) {
        scores[name] = score.mean;
        intervals[name] = to_json(score.mean_interval);
    }
    return {{"runs", statistics.runs},
            {"workflow_runtime", to_json(statistics.workflow_runtime)},
            {"llm_latency", to_json(statistics.llm_latency)},
            {"sessions_per_second", sessions_per_second},
            {"prompt_tokens_per_second", statistics.prompt_tokens_per_second},
            {"completion_tokens_per_second", statistics.completion_tokens_per_second},
            {"scores", std::move(scores)},
            {"score_intervals_95", std::move(intervals)},
            {"session_scores", json::value_from(statistics.session_scores)},
            {"better", json::value_from(statistics.better)},
            {"config", statistics.config},
            {"findings", json::value_from(statistics.findings)}};
}

LegStatistics parse_statistics(const json::value& value) {
    LegStatistics statistics;
    statistics.runs = static_cast<int>(get_int(value, "runs").value_or(1));
    if (const auto* summary = find(value, "workflow_runtime")) statistics.workflow_runtime = parse_sample_summary(*summary);
    if (const auto* summary = find(value, "llm_latency")) statistics.llm_latency = parse_sample_summary(*summary);
    statistics.prompt_tokens_per_second = get_number(value, "prompt_tokens_per_second").value_or(0);
    statistics.completion_tokens_per_second = get_number(value, "completion_tokens_per_second").value_or(0);
    for (const auto& [name, score] : parse_scores(value, "scores")) statistics.scores[name].mean = score;
    if (const auto* sessions = find(value, "session_scores"); sessions && sessions->is_object())
        for (const auto& [name, scores] : sessions->get_object())
            statistics.session_scores[std::string(name)] = parse_scores(*sessions, name);
    for (const auto& [name, scores] : statistics.session_scores) statistics.scores[name] = summarise_scores(scores);
    for (const auto& [name, sign] : parse_scores(value, "better")) statistics.better[name] = static_cast<int>(sign);
    statistics.config = get_string(value, "config").value_or("");
    if (const auto* findings = find(value, "findings"); findings && findings->is_array())
        for (const auto& finding : findings->get_array()) statistics.findings.push_back(to_text(finding));
    return statistics;
}

json::value own_leg_to_json(const LegSizing& sizing) {
    const LegResult& leg = sizing.leg;
    json::object out = {{"sessions", leg.sessions}, {"failed", leg.failed}, {"error_rate", leg.error_rate()}};
    if (leg.statistics) out["statistics"] = statistics_to_json(*leg.statistics, leg.sessions_per_second());
    if (sizing.slo)
        out["slo"] = {{"kept", sizing.slo->kept},
                      {"observed", json::value_from(sizing.slo->observed)},
                      {"good_sessions", sizing.slo->good_sessions},
                      {"goodput", sizing.slo->goodput}};
    return out;
}

json::value own_to_json(const SizingResult& result) {
    json::object legs;
    for (const auto& sizing : result.legs) legs[std::to_string(sizing.leg.concurrency)] = own_leg_to_json(sizing);
    json::array slo;
    for (const SloRule& rule : result.slo) slo.push_back(json::string(rule.text));
    json::array trends;
    for (const ScoreTrend& trend : result.score_trends)
        trends.push_back({{"evaluator", trend.evaluator},
                          {"verdict", to_string(trend.verdict())},
                          {"change_per_doubling", trend.change},
                          {"interval_95", to_json(trend.interval)},
                          {"sessions", trend.sessions},
                          {"questions", trend.questions}});
    return {{"targets",
             {{"llm_latency", result.targets.llm_latency},
              {"workflow_runtime", result.targets.workflow_runtime},
              {"users", result.targets.users},
              {"gpus", result.gpus}}},
            {"llm_latency", metric_to_own_json(result.llm_latency)},
            {"workflow_runtime", metric_to_own_json(result.workflow_runtime)},
            {"slo", std::move(slo)},
            {"slo_answer", result.slo_answer},
            {"knee", result.knee ? json::value(*result.knee) : json::value(nullptr)},
            {"throughput_answer", result.throughput_answer},
            {"score_trends", std::move(trends)},
            {"extrapolation", result.extrapolation},
            {"warnings", json::array(result.warnings.begin(), result.warnings.end())},
            {"legs", std::move(legs)}};
}

// A metric is a number, or null or absent when it was not measured.
Result<double> read_metric(const json::value& metrics, std::string_view key) {
    const auto* value = find(metrics, key);
    if (!value || value->is_null()) return 0.0;
    if (!value->is_number()) return fail(ErrorCode::parse, fmt::format("{}: must be a number", key));
    return value->to_number<double>();
}

Result<std::map<std::string, ItemMetrics>> parse_items(const json::value& metrics) {
    std::map<std::string, ItemMetrics> items;
    const auto* object = find(metrics, "per_item_metrics");
    if (!object || !object->is_object()) return items;
    for (const auto& [id, value] : object->get_object()) {
        const auto latency = read_metric(value, "llm_latency");
        const auto runtime = read_metric(value, "workflow_runtime");
        if (!latency || !runtime) {
            const Error& error = latency ? runtime.error() : latency.error();
            return fail(error.with_context(fmt::format("per_item_metrics.{}", std::string_view(id))));
        }
        items[id] = {*latency, *runtime};
    }
    return items;
}

Result<LegResult> parse_leg(std::string_view key, const json::value& data) {
    LegResult leg;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), leg.concurrency);
    if (error != std::errc() || end != key.data() + key.size() || leg.concurrency <= 0)
        return fail(ErrorCode::parse, "a concurrency is a whole number above 0");
    const auto* metrics = find(data, "sizing_metrics");
    if (!metrics || !metrics->is_object()) return fail(ErrorCode::parse, "sizing_metrics: missing");

    const std::pair<const char*, double LegResult::*> fields[] = {{"llm_latency_p95", &LegResult::llm_latency_p95},
                                                                  {"workflow_runtime_p95", &LegResult::workflow_runtime_p95},
                                                                  {"total_runtime", &LegResult::total_runtime}};
    for (const auto& [name, member] : fields) {
        const auto value = read_metric(*metrics, name);
        if (!value) return fail(value.error());
        leg.*member = *value;
    }
    auto items = parse_items(*metrics);
    if (!items) return fail(items.error());
    leg.items = std::move(*items);
    if (const auto* alerts = find(*metrics, "alerts"))
        if (const auto* interrupted = find(*alerts, "workflow_interrupted"))
            leg.interrupted = interrupted->is_bool() && interrupted->get_bool();
    return leg;
}

void add_own_data(const json::value& output, std::string_view key, LegResult& leg) {
    leg.sessions = static_cast<int>(leg.items.size());
    const auto* own = find(output, "plimsoll");
    const auto* legs = own ? find(*own, "legs") : nullptr;
    const auto* counts = legs ? find(*legs, key) : nullptr;
    if (!counts) return;
    leg.sessions = static_cast<int>(get_int(*counts, "sessions").value_or(leg.sessions));
    leg.failed = static_cast<int>(get_int(*counts, "failed").value_or(0));
    if (const auto* statistics = find(*counts, "statistics")) leg.statistics = parse_statistics(*statistics);
}

}  // namespace

json::value to_json(const SizingResult& result) {
    json::object legs;
    for (const auto& sizing : result.legs) legs[std::to_string(sizing.leg.concurrency)] = leg_to_json(sizing);
    return {{"gpu_estimates",
             {{"gpu_estimate_by_wf_runtime", gpus_or_null(result.workflow_runtime.estimate)},
              {"gpu_estimate_by_llm_latency", gpus_or_null(result.llm_latency.estimate)}}},
            {"fit_results",
             {{"llm_latency_fit", fit_to_json(result.llm_latency.fit)}, {"wf_runtime_fit", fit_to_json(result.workflow_runtime.fit)}}},
            {"calc_data", std::move(legs)},
            {"plimsoll", own_to_json(result)}};
}

std::optional<AskedFor> parse_asked_for(const json::value& output) {
    const auto* own = find(output, "plimsoll");
    const auto* targets = own ? find(*own, "targets") : nullptr;
    if (!targets) return std::nullopt;
    AskedFor asked;
    asked.targets.llm_latency = get_number(*targets, "llm_latency").value_or(0);
    asked.targets.workflow_runtime = get_number(*targets, "workflow_runtime").value_or(0);
    asked.targets.users = static_cast<int>(get_int(*targets, "users").value_or(0));
    asked.gpus = static_cast<int>(get_int(*targets, "gpus").value_or(0));
    if (const auto* slo = find(*own, "slo"); slo && slo->is_array())
        for (const auto& text : slo->get_array())
            if (auto rule = parse_slo_rule(to_text(text))) asked.slo.push_back(std::move(*rule));
    return asked;
}

Result<std::vector<LegResult>> parse_calc_output(const json::value& output) {
    const auto* data = find(output, "calc_data");
    if (!data || !data->is_object()) return fail(ErrorCode::parse, "calc_data: missing");
    std::vector<LegResult> legs;
    for (const auto& [key, value] : data->get_object()) {
        auto leg = parse_leg(key, value);
        if (!leg) return fail(leg.error().with_context(fmt::format("calc_data.{}", std::string_view(key))));
        add_own_data(output, key, *leg);
        legs.push_back(std::move(*leg));
    }
    return legs;
}

}  // namespace plimsoll::forecast
