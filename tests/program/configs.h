// Config files and datasets for the tests of the whole program.
#pragma once

#include <fmt/format.h>

#include <string>

// Sanitizers cost an order of magnitude; times are judged accordingly.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PLIMSOLL_SLOW_BUILD 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PLIMSOLL_SLOW_BUILD 1
#endif
#endif
#ifndef PLIMSOLL_SLOW_BUILD
#define PLIMSOLL_SLOW_BUILD 0
#endif

namespace plimsoll::test {

// One question, one answer, from an OpenAI-compatible endpoint; reads dataset.json, writes out/.
inline std::string chat_config(const std::string& url, const std::string& llm_fields = "") {
    return fmt::format(
        "llms:\n  model:\n    _type: openai\n    model_name: simulated\n    base_url: {}\n{}"
        "workflow:\n  _type: chat_completion\n  llm_name: model\n"
        "eval:\n  general:\n    max_concurrency: 4\n    output_dir: out\n    dataset:\n      _type: json\n      file_path: dataset.json\n"
        "    profiler:\n      base_metrics: true\n      compute_llm_metrics: true\n      token_uniqueness_forecast: true\n"
        "      bottleneck_analysis:\n        enable_nested_stack: true\n      concurrency_spike_analysis:\n        enable: true\n"
        "  evaluators:\n    latency:\n      _type: avg_llm_latency\n",
        url, llm_fields);
}

// A research agent with its models at these addresses, over the documents in docs/; reads dataset.json, writes out/.
inline std::string research_config(const std::string& llm_url, const std::string& embedder_url) {
    return fmt::format(
        "llms:\n  model:\n    _type: openai\n    model_name: simulated\n    base_url: {}\n    num_retries: 1\n"
        "embedders:\n  embedder:\n    _type: openai\n    model_name: simulated\n    base_url: {}\n"
        "workflow:\n  _type: deep_research\n  llm_name: model\n  embedder_name: embedder\n  documents: docs\n  collection: docs.db\n"
        "eval:\n  general:\n    output_dir: out\n    dataset:\n      _type: json\n      file_path: dataset.json\n"
        "    profiler:\n      base_metrics: true\n",
        llm_url, embedder_url);
}

inline std::string many_questions(int count) {
    std::string out = "[";
    for (int i = 1; i <= count; ++i) out += fmt::format("{}{{\"id\": {}, \"question\": \"question number {}?\"}}", i > 1 ? "," : "", i, i);
    return out + "]";
}

}  // namespace plimsoll::test
