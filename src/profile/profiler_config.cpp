#include "profile/profiler_config.h"

#include <fmt/format.h>

#include <algorithm>

namespace plimsoll::profile {
namespace {

// What else a run folder holds: events, answers, configs, and every artefact of the profiler. Scores are <evaluator>_output.json.
constexpr std::string_view kTakenNames[] = {"events.jsonl",
                                            "config_original.yml",
                                            "config_effective.yml",
                                            "config_metadata.json",
                                            "workflow_output_atif.json",
                                            "all_requests_profiler_traces.json",
                                            "standardized_data_all.csv",
                                            "inference_optimization.json",
                                            "workflow_profiling_metrics.json",
                                            "workflow_profiling_report.txt",
                                            "gantt_chart.png",
                                            "token_usage_forecast.json",
                                            "fitted_model.pkl",
                                            "llm_calls.csv",
                                            "profile.json",
                                            "report.html",
                                            "logs"};

std::optional<std::string> check_file_name(const json::value& value) {
    const std::string_view name = value.get_string();
    const bool plain = !name.empty() && name.find_first_of(std::string_view("/\\\0", 3)) == name.npos && !name.starts_with('.');
    if (!plain) return "must be a file name without a folder";
    if (std::ranges::find(kTakenNames, name) != std::end(kTakenNames) || name.ends_with("_output.json"))
        return "is the name of another file of the run";
    return std::nullopt;
}

const Schema<ProfilerConfig>& switches_schema() {
    using C = ProfilerConfig;
    static const auto schema =
        Schema<C>("profiler", "", "analyses of a run's traces")
            .field("base_metrics", &C::base_metrics, "workflow runtime percentiles")
            .field("token_usage_forecast", &C::token_usage_forecast, "completion tokens and tokens to come, from the calls so far")
            .field("token_uniqueness_forecast", &C::token_uniqueness_forecast, "new words of a prompt against the one before")
            .field("workflow_runtime_forecast", &C::workflow_runtime_forecast, "workflow runtime percentiles")
            .field("compute_llm_metrics", &C::compute_llm_metrics, "NOVA columns of the CSV")
            .field("csv_exclude_io_text", &C::csv_exclude_io_text, "leaves prompts, answers and tokens out of the CSV");
    return schema;
}

const Schema<PrefixSettings>& prefix_schema() {
    using C = PrefixSettings;
    static const auto schema = Schema<C>("profiler", "prompt_caching_prefixes", "beginnings that many prompts share")
                                   .field("enable", &C::enable, "runs the analysis")
                                   .field("min_frequency", &C::min_frequency, "share of the calls that must begin with it")
                                   .range(0, 1);
    return schema;
}

const Schema<BottleneckSettings>& bottleneck_schema() {
    using C = BottleneckSettings;
    static const auto schema = Schema<C>("profiler", "bottleneck_analysis", "where the time goes")
                                   .field("enable_simple_stack", &C::enable_simple_stack, "per operation, without nesting")
                                   .field("enable_nested_stack", &C::enable_nested_stack, "per call, with the call tree");
    return schema;
}

const Schema<SpikeSettings>& spike_schema() {
    using C = SpikeSettings;
    static const auto schema =
        Schema<C>("profiler", "concurrency_spike_analysis", "intervals with many calls in flight")
            .field("enable", &C::enable, "runs the analysis")
            .field("spike_threshold", &C::spike_threshold, "calls in flight that make a spike; null: more than 95 % of the time")
            .at_least(0);
    return schema;
}

const Schema<PrefixSpanSettings>& prefix_span_schema() {
    using C = PrefixSpanSettings;
    static const auto schema =
        Schema<C>("profiler", "prefix_span_analysis", "call sequences that recur")
            .field("enable", &C::enable, "runs the analysis")
            .field("min_support", &C::min_support, "sessions that must contain a pattern, below 1 a share of them; default 2")
            .field("min_coverage", &C::min_coverage, "share of the sessions that must contain it without gaps")
            .field("max_text_len", &C::max_text_len, "code points of a prompt that are looked at")
            .at_least(0)
            .field("top_k", &C::top_k, "patterns reported, at most 10,000")
            .at_least(0)
            .field("chain_with_common_prefixes", &C::chain_with_common_prefixes, "replaces common prefixes first");
    return schema;
}

const Schema<PredictionTrieSettings>& trie_schema() {
    using C = PredictionTrieSettings;
    static const auto schema = Schema<C>("profiler", "prediction_trie", "expected remaining calls by place in the workflow")
                                   .field("enable", &C::enable, "runs the analysis")
                                   .field("output_filename", &C::output_filename, "file in the run folder")
                                   .check(check_file_name)
                                   .field("auto_sensitivity", &C::auto_sensitivity, "scores how latency sensitive a call is")
                                   .field("sensitivity_scale", &C::sensitivity_scale, "highest score")
                                   .at_least(1)
                                   .field("w_critical", &C::w_critical, "weight of the critical path")
                                   .field("w_fanout", &C::w_fanout, "weight of the calls that follow")
                                   .field("w_position", &C::w_position, "weight of first and last calls")
                                   .field("w_parallel", &C::w_parallel, "weight of slack beside parallel siblings");
    return schema;
}

// A duration of PromQL, as it goes into the queries.
std::optional<std::string> check_range(const json::value& value) {
    const std::string_view text = value.get_string();
    const std::size_t digits = text.find_first_not_of("0123456789");
    const bool is_duration = digits != 0 && digits != text.npos && text.find_first_not_of("smhdwy", digits) == text.npos;
    return is_duration ? std::nullopt : std::optional<std::string>("must be a duration such as 30s or 5m");
}

const Schema<DynamoSettings>& dynamo_schema() {
    using C = DynamoSettings;
    static const auto schema = Schema<C>("profiler", "dynamo_metrics", "what the Prometheus server of a Dynamo deployment knows of the run")
                                   .field("enable", &C::enable, "asks for them")
                                   .field("prometheus_url", &C::prometheus_url, "base URL of the Prometheus server")
                                   .field("collect_kv_cache", &C::collect_kv_cache, "use and hits of the KV cache")
                                   .field("collect_ttft", &C::collect_ttft, "time to first token")
                                   .field("collect_itl", &C::collect_itl, "time between tokens")
                                   .field("collect_inflight_requests", &C::collect_inflight_requests, "requests in flight and in the queue")
                                   .field("collect_throughput", &C::collect_throughput, "requests a minute")
                                   .field("collect_token_throughput", &C::collect_token_throughput, "tokens a second")
                                   .field("query_range", &C::query_range, "over which rates are taken")
                                   .check(check_range)
                                   .field("lookback_seconds", &C::lookback_seconds, "window of a run without steps; 0: ten minutes")
                                   .at_least(0)
                                   .field("workflow_start_timestamp", &C::workflow_start_timestamp, "set by the profiler")
                                   .field("workflow_end_timestamp", &C::workflow_end_timestamp, "set by the profiler");
    return schema;
}

void note_unknown(const ComponentInfo& info, const json::object& settings, std::vector<std::string>& warnings) {
    for (const auto& [key, value] : settings) {
        const bool known = std::ranges::any_of(info.fields, [&](const FieldInfo& field) { return field.name == std::string_view(key); });
        if (known) continue;
        const std::string place = info.type.empty() ? std::string(key) : fmt::format("{}.{}", info.type, std::string_view(key));
        warnings.push_back(fmt::format("profiler.{}: unknown key", place));
    }
}

template <class Settings>
void read_section(const json::object& parent, const Schema<Settings>& schema, Settings& out, std::vector<std::string>& warnings,
                  std::vector<std::string>& problems) {
    const std::string& name = schema.info().type;
    const auto* value = parent.if_contains(name);
    if (!value || value->is_null()) return;
    if (!value->is_object()) {
        problems.push_back(fmt::format("{}: must be a mapping", name));
        return;
    }
    note_unknown(schema.info(), value->get_object(), warnings);
    if (auto parsed = schema.parse(value->get_object()))
        out = std::move(*parsed);
    else
        problems.push_back(fmt::format("{}: {}", name, parsed.error().message));
}

ComponentInfo make_profiler_info() {
    ComponentInfo info = switches_schema().info();
    const auto add = [&](const ComponentInfo& section) {
        FieldInfo field;
        field.name = section.type;
        field.nullable = true;
        field.doc = section.doc;
        info.fields.push_back(std::move(field));
    };
    add(prefix_schema().info());
    add(bottleneck_schema().info());
    add(spike_schema().info());
    add(prefix_span_schema().info());
    add(trie_schema().info());
    add(dynamo_schema().info());
    return info;
}

const ComponentInfo& profiler_info() {
    static const ComponentInfo info = make_profiler_info();
    return info;
}

}  // namespace

Catalogue profiler_catalogue() {
    return {profiler_info(),      prefix_schema().info(), bottleneck_schema().info(), spike_schema().info(), prefix_span_schema().info(),
            trie_schema().info(), dynamo_schema().info()};
}

Result<ProfilerConfig> parse_profiler_config(const json::value& settings) {
    if (settings.is_null()) return ProfilerConfig{};
    if (!settings.is_object()) return fail(ErrorCode::config, "profiler: must be a mapping");
    const json::object& object = settings.get_object();

    std::vector<std::string> problems;
    ProfilerConfig config;
    if (auto switches = switches_schema().parse(object))
        config = std::move(*switches);
    else
        problems.push_back(switches.error().message);
    note_unknown(profiler_info(), object, config.warnings);
    read_section(object, prefix_schema(), config.prompt_caching_prefixes, config.warnings, problems);
    read_section(object, bottleneck_schema(), config.bottleneck_analysis, config.warnings, problems);
    read_section(object, spike_schema(), config.concurrency_spike_analysis, config.warnings, problems);
    read_section(object, prefix_span_schema(), config.prefix_span_analysis, config.warnings, problems);
    read_section(object, trie_schema(), config.prediction_trie, config.warnings, problems);
    read_section(object, dynamo_schema(), config.dynamo_metrics, config.warnings, problems);
    if (!problems.empty()) return fail(ErrorCode::config, fmt::format("profiler: {}", fmt::join(problems, "; ")));
    return config;
}

}  // namespace plimsoll::profile
