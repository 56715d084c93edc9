#include "profile/retries.h"

#include <algorithm>

#include "profile/run_graph.h"

namespace plimsoll::profile {
namespace {

const json::value& input_of(const event::Span& span, const event::SessionTrace& session) {
    static const json::value kNothing;
    const auto& data = session.steps[span.start_step].payload.data;
    return data ? data->input : kNothing;
}

std::size_t extra_attempts_of(const event::Span& span, const event::SessionTrace& session) {
    if (!span.end_step) return 0;
    const json::value& metadata = session.steps[*span.end_step].payload.metadata;
    if (const auto attempts = get_int(metadata, "attempts"); attempts && *attempts > 1) return static_cast<std::size_t>(*attempts - 1);
    if (const auto retries = get_int(metadata, "retries"); retries && *retries > 0) return static_cast<std::size_t>(*retries);
    return 0;
}

// A repetition follows its failure closely; a caller with more calls in between is not searched further, so that one with
// thousands of failures stays cheap.
constexpr std::size_t kMaxCallsBetween = 256;

// Marks the calls of one caller that repeat a failed sibling.
void mark_repeats(std::span<Call> tree, const SiblingCalls& list, std::span<const event::Span* const> span_of,
                  const event::SessionTrace& session) {
    const std::vector<std::uint32_t> siblings(list.begin(), list.end());
    for (std::size_t i = 0; i < siblings.size(); ++i) {
        const Call& first = tree[siblings[i]];
        if (!first.failed || first.cancelled) continue;
        const std::size_t until = std::min(siblings.size(), i + 1 + kMaxCallsBetween);
        for (std::size_t j = i + 1; j < until; ++j) {
            Call& next = tree[siblings[j]];
            const bool same = first.step == next.step && next.start >= first.end &&
                              input_of(*span_of[siblings[i]], session) == input_of(*span_of[siblings[j]], session);
            if (!same) continue;
            next.repeats = true;
            break;
        }
    }
}

}  // namespace

void note_retries(std::span<Call> tree, std::span<const event::Span* const> span_of, const event::SessionTrace& session) {
    bool any_failed = false;
    for (std::size_t i = 0; i < tree.size(); ++i) {
        constexpr std::size_t kMost = std::numeric_limits<std::uint32_t>::max();
        tree[i].extra_attempts = static_cast<std::uint32_t>(std::min(kMost, extra_attempts_of(*span_of[i], session)));
        any_failed = any_failed || tree[i].failed;
    }
    if (!any_failed) return;
    mark_repeats(tree, roots_of(tree), span_of, session);
    for (std::uint32_t i = 0; i < tree.size(); ++i) mark_repeats(tree, children_of(tree, i), span_of, session);
}

}  // namespace plimsoll::profile
