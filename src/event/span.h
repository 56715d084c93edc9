// Spans: START and END steps paired by id, never by stack, so that parallel calls stay apart.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "event/step.h"

namespace plimsoll::event {

struct Span {
    std::string uuid;
    std::string parent_id;  // "root" or a uuid; may name a span that is not there
    Category category = Category::custom;
    std::string name;  // of the START
    InvocationNode function;
    double start = 0;  // seconds since the epoch
    double end = 0;    // = start when unfinished
    bool finished = false;
    std::optional<Error> error;
    TokenUsage usage;
    std::vector<double> token_times;  // of LLM_NEW_TOKEN steps, in order
    std::size_t start_step = 0;       // index into the steps it was made from
    std::optional<std::size_t> end_step;

    double duration() const { return end - start; }
    // Time to first token in seconds; nothing for calls that did not stream.
    std::optional<double> ttft() const {
        if (token_times.empty()) return std::nullopt;
        return token_times.front() - start;
    }
};

// One session's spans in the order of their start (stable). An END without START makes a span only when it carries
// span_event_timestamp (a remote trace that was filtered to END events); other orphans are counted in `orphans`.
struct SpanList {
    std::vector<Span> spans;
    std::size_t orphans = 0;
};
SpanList pair_spans(std::span<const Step> steps);

}  // namespace plimsoll::event
