#include "llm/sim_stats.h"

#include <fmt/format.h>

#include <algorithm>

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

}  // namespace

void SimStats::observe_ttft(double seconds) {
    const auto interval = std::ranges::lower_bound(kTtftBounds, seconds) - kTtftBounds.begin();
    ++ttft_counts[static_cast<std::size_t>(interval)];
    ttft_sum += seconds;
}

json::value SimStats::to_json() const {
    json::object counts;
    for (const auto name : sim_fault_names()) counts[{name.data(), name.size()}] = fault_count(*parse_sim_fault(name));
    return {{"requests", requests},
            {"completed", completed},
            {"rejected", rejected},
            {"clients_gone", clients_gone},
            {"open", open},
            {"peak_open", peak_open},
            {"running", running},
            {"waiting", waiting},
            {"prompt_tokens", prompt_tokens},
            {"generation_tokens", generation_tokens},
            {"faults", std::move(counts)}};
}

std::string SimStats::to_prometheus(std::string_view model) const {
    const std::string label = fmt::format("model_name=\"{}\"", escaped(model));
    std::string text;
    const auto add = [&](std::string_view name, std::string_view type, std::uint64_t value) {
        fmt::format_to(std::back_inserter(text), "# TYPE {0} {1}\n{0}{{{2}}} {3}\n", name, type, label, value);
    };
    add("vllm:num_requests_running", "gauge", running);
    add("vllm:num_requests_waiting", "gauge", waiting);
    add("vllm:prompt_tokens_total", "counter", prompt_tokens);
    add("vllm:generation_tokens_total", "counter", generation_tokens);

    constexpr std::string_view kTtft = "vllm:time_to_first_token_seconds";
    fmt::format_to(std::back_inserter(text), "# TYPE {} histogram\n", kTtft);
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < ttft_counts.size(); ++i) {
        count += ttft_counts[i];
        const std::string bound = i < kTtftBounds.size() ? fmt::format("{}", kTtftBounds[i]) : "+Inf";
        fmt::format_to(std::back_inserter(text), "{}_bucket{{le=\"{}\",{}}} {}\n", kTtft, bound, label, count);
    }
    fmt::format_to(std::back_inserter(text), "{0}_sum{{{1}}} {2}\n{0}_count{{{1}}} {3}\n", kTtft, label, ttft_sum, count);
    return text;
}

}  // namespace plimsoll::llm
