// llm_calls.csv: a line an LLM call, for whoever wants the calls themselves and not their percentiles. The times are defined in
// llm_timing.h; a cell is empty where the trace does not say. Failed and unfinished calls are there too, with the reason.
#pragma once

#include <string>

#include "event/span.h"
#include "event/trace.h"

namespace plimsoll::profile {

// Names of the columns, line end included.
std::string llm_calls_head();

// The lines of one session, whose index in the run is `number`; `spans` are made of its steps.
void append_llm_calls(std::string& out, std::size_t number, const event::SessionTrace& session, const event::SpanList& spans);

}  // namespace plimsoll::profile
