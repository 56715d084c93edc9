// Any trace must profile, with everything on: circles of parents, repeated ids, times that run backwards.
#include <cstddef>
#include <cstdint>

#include "profile/profiler.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace plimsoll;
    auto traces = event::parse_traces({reinterpret_cast<const char*>(data), size});
    if (!traces) return 0;
    profile::ProfilerConfig config;
    config.base_metrics = config.token_uniqueness_forecast = config.workflow_runtime_forecast = config.compute_llm_metrics = true;
    config.token_usage_forecast = config.prompt_caching_prefixes.enable = config.prefix_span_analysis.enable = true;
    config.bottleneck_analysis = {.enable_simple_stack = true, .enable_nested_stack = true};
    config.concurrency_spike_analysis.enable = config.prediction_trie.enable = true;
    const profile::ProfileInput input{std::move(traces->sessions), std::move(traces->skipped)};
    for (const bool nat_compat : {false, true}) {
        config.nat_compat = nat_compat;
        for (const auto& artefact : profile::profile(input, config).artefacts)
            if (artefact.file_name.ends_with(".json")) PLIMSOLL_CHECK(parse_json(artefact.content).has_value(), artefact.file_name);
    }
    return 0;
}
