#include "profile/llm_calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <numeric>
#include <vector>

#include "base/csv.h"
#include "base/stats.h"
#include "profile/llm_timing.h"
#include "profile/run_graph.h"

namespace plimsoll::profile {
namespace {

std::vector<double> token_gaps(const event::Span& span) {
    std::vector<double> gaps;
    for (std::size_t i = 1; i < span.token_times.size(); ++i) gaps.push_back(std::max(0.0, span.token_times[i] - span.token_times[i - 1]));
    std::ranges::sort(gaps);
    return gaps;
}

std::string error_of(const event::Span& span) {
    if (span.error) return fmt::format("{}: {}", to_string(span.error->code), span.error->message);
    return span.finished ? "" : "unfinished";
}

// Microseconds are as fine as the steps' clocks.
void append_seconds(std::string& out, std::optional<double> seconds) {
    if (seconds) fmt::format_to(std::back_inserter(out), "{:.6f}", *seconds);
    out += ',';
}

void append_call(std::string& out, std::size_t number, const event::Span& span, const event::SessionTrace& session) {
    const auto to = std::back_inserter(out);
    fmt::format_to(to, "{},", number);
    for (const std::string* text : {&span.uuid, &span.name, &span.function.function_name}) {
        append_csv_field(out, *text);
        out += ',';
    }
    fmt::format_to(to, "{:.6f},", span.start);
    append_seconds(out, span.finished ? std::optional(latency(span)) : std::nullopt);
    const auto first = span.ttft();
    append_seconds(out, first ? std::optional(std::max(0.0, *first)) : std::nullopt);
    const auto gaps = token_gaps(span);
    const bool has_gaps = !gaps.empty();
    append_seconds(out, has_gaps ? std::optional(mean(gaps)) : std::nullopt);
    append_seconds(out, has_gaps ? std::optional(sorted_percentile(gaps, 95)) : std::nullopt);
    if (span.usage.completion_tokens > 0 && latency(span) > 0)
        fmt::format_to(to, "{:.3f}", static_cast<double>(span.usage.completion_tokens) / latency(span));
    out += ',';
    append_seconds(out, queueing_seconds(span, session));
    const event::TokenUsage& usage = span.usage;
    fmt::format_to(to, "{},{},{},{},", usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, usage.reasoning_tokens);
    append_csv_field(out, error_of(span));
    out += '\n';
}

}  // namespace

std::string llm_calls_head() {
    return "session,uuid,model,function,start,latency_s,ttft_s,itl_mean_s,itl_p95_s,tokens_per_s,queueing_s,prompt_tokens,"
           "completion_tokens,cached_tokens,reasoning_tokens,error\n";
}

void append_llm_calls(std::string& out, std::size_t number, const event::SessionTrace& session, const event::SpanList& spans) {
    for (const event::Span& span : spans.spans)
        if (span.category == event::Category::llm) append_call(out, number, span, session);
}

}  // namespace plimsoll::profile
