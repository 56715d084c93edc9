#include "event/span.h"

#include <algorithm>
#include <unordered_map>

namespace plimsoll::event {
namespace {

Span open_span(const Step& step, double start, std::size_t index) {
    Span span;
    span.uuid = step.payload.uuid;
    span.parent_id = step.parent_id;
    span.category = step.payload.event_type.category;
    span.name = step.payload.name.value_or("");
    span.function = step.function_ancestry;
    span.start = span.end = start;
    span.start_step = index;
    return span;
}

void close_span(Span& span, const Step& step, std::size_t index) {
    span.end = step.payload.event_timestamp;
    span.finished = true;
    span.error = step_error(step);
    span.end_step = index;
    if (step.payload.usage_info) span.usage = step.payload.usage_info->token_usage;
}

}  // namespace

SpanList pair_spans(std::span<const Step> steps) {
    SpanList list;
    std::unordered_map<std::string_view, std::size_t> open;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const Payload& payload = steps[i].payload;
        const auto found = open.find(payload.uuid);
        switch (payload.event_type.phase) {
            case Phase::start:
                open[payload.uuid] = list.spans.size();
                list.spans.push_back(open_span(steps[i], payload.event_timestamp, i));
                break;
            case Phase::chunk:
                if (found == open.end()) {
                    ++list.orphans;
                } else if (payload.event_type.category == Category::llm) {
                    list.spans[found->second].token_times.push_back(payload.event_timestamp);
                }
                break;
            case Phase::end:
                if (found != open.end()) {
                    close_span(list.spans[found->second], steps[i], i);
                    open.erase(found);
                } else if (payload.span_event_timestamp) {
                    Span span = open_span(steps[i], *payload.span_event_timestamp, i);
                    close_span(span, steps[i], i);
                    list.spans.push_back(std::move(span));
                } else {
                    ++list.orphans;
                }
                break;
        }
    }
    std::ranges::stable_sort(list.spans, {}, &Span::start);
    return list;
}

}  // namespace plimsoll::event
