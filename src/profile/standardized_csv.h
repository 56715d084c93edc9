// standardized_data_all.csv: one row a step, sessions in order (NAT 1.9.0). RFC 4180 with "\n" line ends; numbers in the
// shortest form that reads back equal; null as an empty field.
#pragma once

#include <string>
#include <vector>

#include "event/trace.h"
#include "profile/llm_metrics.h"
#include "profile/python_text.h"

namespace plimsoll::profile {

// `metrics` may be null: the NOVA columns are left out then. `exclude_text` leaves out the three llm_text columns.
// No steps at all: a single line end.
std::string make_standardized_csv(const std::vector<event::SessionTrace>& sessions, const LlmMetrics* metrics, bool exclude_text,
                                  TextOf text_of = to_plain_text);

}  // namespace plimsoll::profile
