#include "llm/sim_metrics.h"

#include <fmt/format.h>

namespace plimsoll::llm {
namespace {

// Of a label's value in the Prometheus text format.
std::string escaped(std::string_view text) {
    std::string result;
    for (const char c : text) {
        if (c == '\\' || c == '"') result += '\\';
        if (c == '\n')
            result += "\\n";
        else
            result += c;
    }
    return result;
}

double kv_usage(const SimLoad& load) { return load.kv_blocks > 0 ? static_cast<double>(load.kv_blocks_used) / load.kv_blocks : 0; }

SimLoad sum(const std::vector<SimLoad>& loads) {
    SimLoad total;
    for (const SimLoad& load : loads) {
        total.running += load.running;
        total.waiting += load.waiting;
        total.kv_blocks += load.kv_blocks;
        total.kv_blocks_used += load.kv_blocks_used;
        total.preemptions += load.preemptions;
        total.steps += load.steps;
        total.step_sequences += load.step_sequences;
        total.busy_seconds += load.busy_seconds;
    }
    return total;
}

class Page {
  public:
    explicit Page(std::string labels) : labels_(std::move(labels)) {}

    template <class Number>
    void add(std::string_view name, std::string_view type, Number value) {
        fmt::format_to(std::back_inserter(text_), "# TYPE {0} {1}\n{0}{{{2}}} {3}\n", name, type, labels_, value);
    }
    template <class Value>
    void add_gauge(std::string_view name, const std::vector<SimLoad>& loads, Value value) {
        if (loads.size() == 1) return add(name, "gauge", value(loads.front()));
        fmt::format_to(std::back_inserter(text_), "# TYPE {} gauge\n", name);
        for (std::size_t i = 0; i < loads.size(); ++i)
            fmt::format_to(std::back_inserter(text_), "{}{{engine=\"{}\",{}}} {}\n", name, i, labels_, value(loads[i]));
    }
    void add(std::string_view name, const SimHistogram& histogram) { histogram.append_to(text_, name, labels_); }
    void add_text(std::string_view text) { text_ += text; }
    const std::string& labels() const { return labels_; }
    std::string take() { return std::move(text_); }

  private:
    std::string labels_;
    std::string text_;
};

std::string model_label(const SimOptions& options) { return fmt::format("model_name=\"{}\"", escaped(options.model)); }

void add_finish_reasons(Page& page, std::string_view name, const SimStats& stats) {
    page.add_text(fmt::format("# TYPE {} counter\n", name));
    const std::pair<std::string_view, std::uint64_t> counts[] = {
        {"stop", stats.finished_by_stop}, {"length", stats.finished_by_length}, {"abort", stats.clients_gone}};
    for (const auto& [reason, count] : counts)
        page.add_text(fmt::format("{}{{finished_reason=\"{}\",{}}} {}\n", name, reason, page.labels(), count));
}

void add_vllm(Page& page, const SimStats& stats, const SimOptions& options) {
    const auto& loads = stats.replicas;
    page.add_gauge("vllm:num_requests_running", loads, [](const SimLoad& load) { return load.running; });
    page.add_gauge("vllm:num_requests_waiting", loads, [](const SimLoad& load) { return load.waiting; });
    page.add_gauge("vllm:kv_cache_usage_perc", loads, kv_usage);
    page.add_gauge("vllm:gpu_cache_usage_perc", loads, kv_usage);
    page.add("vllm:num_preemptions_total", "counter", sum(loads).preemptions);
    page.add("vllm:prompt_tokens_total", "counter", stats.prompt_tokens);
    page.add("vllm:generation_tokens_total", "counter", stats.generation_tokens);
    add_finish_reasons(page, "vllm:request_success_total", stats);
    page.add("vllm:iteration_tokens_total", stats.step_tokens);
    page.add("vllm:time_to_first_token_seconds", stats.ttft);
    page.add("vllm:inter_token_latency_seconds", stats.itl);
    page.add("vllm:time_per_output_token_seconds", stats.itl);
    page.add("vllm:e2e_request_latency_seconds", stats.e2e_time);
    page.add("vllm:request_queue_time_seconds", stats.queue_time);
    page.add("vllm:request_prefill_time_seconds", stats.prefill_time);
    page.add("vllm:request_decode_time_seconds", stats.decode_time);
    page.add("vllm:request_prompt_tokens", stats.request_prompt_tokens);
    page.add("vllm:request_generation_tokens", stats.request_generation_tokens);
    if (!options.engine) return;
    page.add_text(
        fmt::format("# TYPE vllm:cache_config_info gauge\nvllm:cache_config_info{{block_size=\"{}\",num_gpu_blocks=\"{}\",{}}} 1\n",
                    options.engine->limits.block_tokens, options.engine->limits.kv_blocks, page.labels()));
}

void add_llamacpp(Page& page, const SimStats& stats) {
    const SimLoad total = sum(stats.replicas);
    const double tokens = static_cast<double>(stats.generation_tokens);
    page.add("llamacpp:requests_processing", "gauge", total.running);
    page.add("llamacpp:requests_deferred", "gauge", total.waiting);
    page.add("llamacpp:kv_cache_usage_ratio", "gauge", kv_usage(total));
    page.add("llamacpp:prompt_tokens_total", "counter", stats.prompt_tokens);
    page.add("llamacpp:prompt_seconds_total", "counter", stats.prefill_time.sum());
    page.add("llamacpp:tokens_predicted_total", "counter", stats.generation_tokens);
    page.add("llamacpp:tokens_predicted_seconds_total", "counter", stats.itl.sum());
    page.add("llamacpp:predicted_tokens_seconds", "gauge", stats.itl.sum() > 0 ? tokens / stats.itl.sum() : 0);
    page.add("llamacpp:n_decode_total", "counter", total.steps);
    page.add("llamacpp:n_busy_slots_per_decode", "gauge",
             total.steps > 0 ? static_cast<double>(total.step_sequences) / static_cast<double>(total.steps) : 0);
}

}  // namespace

std::string sim_metrics(const SimStats& stats, const SimOptions& options) {
    Page page(model_label(options));
    add_vllm(page, stats, options);
    add_llamacpp(page, stats);
    return page.take();
}

std::string sim_nim_metrics(const SimStats& stats, const SimOptions& options) {
    const SimLoad total = sum(stats.replicas);
    Page page(model_label(options));
    page.add("num_requests_running", "gauge", total.running);
    page.add("num_requests_waiting", "gauge", total.waiting);
    page.add("num_request_max", "gauge",
             options.engine ? options.engine->limits.max_sequences * options.engine->replicas : options.max_concurrency);
    page.add("gpu_cache_usage_perc", "gauge", kv_usage(total));
    page.add("prompt_tokens_total", "counter", stats.prompt_tokens);
    page.add("generation_tokens_total", "counter", stats.generation_tokens);
    add_finish_reasons(page, "request_success_total", stats);
    page.add("time_to_first_token_seconds", stats.ttft);
    page.add("time_per_output_token_seconds", stats.itl);
    page.add("e2e_request_latency_seconds", stats.e2e_time);
    page.add("request_prompt_tokens", stats.request_prompt_tokens);
    page.add("request_generation_tokens", stats.request_generation_tokens);
    return page.take();
}

}  // namespace plimsoll::llm
