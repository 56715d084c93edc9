// A small catalogue for this module's tests: one type of each kind.
#pragma once

#include "base/schema.h"

namespace plimsoll::config {

struct TestLlm {
    std::string model_name, base_url, api_key;
    std::optional<double> temperature;
    std::optional<double> request_timeout = 60.0;
    int max_tokens = 300;
};

struct TestAgent {
    std::string llm_name, system_prompt;
    std::vector<std::string> tool_names;
    int max_iterations = 15;
};

struct TestTyped {
    std::string endpoint, project, level = "INFO", file_path, id_key = "id";
    json::value structure;
    int port = 8000;
    bool base_metrics = false, compute_llm_metrics = false, token_uniqueness_forecast = false, workflow_runtime_forecast = false;
    json::value bottleneck_analysis, concurrency_spike_analysis;
};

struct TestSpikes {
    bool enable = false;
    int spike_threshold = 1;
};

inline ComponentInfo test_llm(const std::string& section, const std::string& type) {
    return Schema<TestLlm>(section, type, "a model behind an endpoint")
        .required("model_name", &TestLlm::model_name, "model to ask for")
        .alias("model")
        .field("base_url", &TestLlm::base_url, "where the server is")
        .field("api_key", &TestLlm::api_key, "key of the account")
        .secret()
        .field("temperature", &TestLlm::temperature, "sampling temperature")
        .range(0, 2)
        .field("request_timeout", &TestLlm::request_timeout, "seconds")
        .field("max_tokens", &TestLlm::max_tokens, "bound of an answer")
        .info();
}

inline ComponentInfo test_agent(const std::string& section, const std::string& type) {
    return Schema<TestAgent>(section, type, "an agent")
        .required("llm_name", &TestAgent::llm_name, "model")
        .refers_to("llms")
        .field("tool_names", &TestAgent::tool_names, "tools")
        .refers_to("functions")
        .field("system_prompt", &TestAgent::system_prompt, "prompt")
        .field("max_iterations", &TestAgent::max_iterations, "rounds")
        .info();
}

inline Catalogue test_catalogue() {
    Catalogue all = {
        test_llm("llms", "nim"),
        test_llm("llms", "openai"),
        test_llm("embedders", "nim"),
        test_agent("functions", "react_agent"),
        test_agent("workflow", "deep_research"),
        {.section = "llms", .type = "local", .doc = "a model on this machine"},
        {.section = "functions", .type = "current_datetime", .doc = "the time"},
        {.section = "functions", .type = "nat_retriever", .doc = "search"},
        {.section = "evaluators", .type = "avg_llm_latency", .doc = "seconds a model call takes"},
        Schema<TestAgent>("functions", "chat_completion", "one question")
            .required("llm_name", &TestAgent::llm_name, "model")
            .refers_to("llms")
            .info(),
        Schema<TestTyped>("telemetry.tracing", "otelcollector", "OTLP over HTTP")
            .required("endpoint", &TestTyped::endpoint, "collector")
            .required("project", &TestTyped::project, "project")
            .info(),
        Schema<TestTyped>("telemetry.logging", "console", "log to the terminal").field("level", &TestTyped::level, "level").info(),
        Schema<TestTyped>("front_end", "fastapi", "HTTP").field("port", &TestTyped::port, "port").info(),
        Schema<TestTyped>("dataset", "json", "array of objects")
            .required("file_path", &TestTyped::file_path, "file")
            .field("id_key", &TestTyped::id_key, "column")
            .field("structure", &TestTyped::structure, "columns")
            .info(),
        Schema<TestTyped>("profiler", "", "analyses")
            .field("base_metrics", &TestTyped::base_metrics, "runtimes")
            .field("compute_llm_metrics", &TestTyped::compute_llm_metrics, "columns")
            .field("token_uniqueness_forecast", &TestTyped::token_uniqueness_forecast, "unique words")
            .field("workflow_runtime_forecast", &TestTyped::workflow_runtime_forecast, "runtime")
            .field("bottleneck_analysis", &TestTyped::bottleneck_analysis, "bottlenecks")
            .field("concurrency_spike_analysis", &TestTyped::concurrency_spike_analysis, "spikes")
            .info(),
        Schema<TestSpikes>("profiler", "concurrency_spike_analysis", "spikes")
            .field("enable", &TestSpikes::enable, "runs the analysis")
            .field("spike_threshold", &TestSpikes::spike_threshold, "calls in flight")
            .info(),
    };
    all[1].keeps_unknown = true;
    return all;
}

}  // namespace plimsoll::config
