// Which calls were made again because one had failed.
#pragma once

#include <span>

#include "event/trace.h"
#include "profile/call_tree.h"

namespace plimsoll::profile {

// Sets `repeats` and `extra_attempts` of a session's calls. A call repeats another when it has the same caller, step and input and starts
// after the other ended in failure; an END may also say in its metadata that it took several attempts (`attempts`, or `retries` beyond the
// first). `span_of` holds the span of each call.
void note_retries(std::span<Call> tree, std::span<const event::Span* const> span_of, const event::SessionTrace& session);

}  // namespace plimsoll::profile
