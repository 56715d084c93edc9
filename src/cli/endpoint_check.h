// `eval.general.validate_llm_endpoints`: every model is asked once before a run, so that a wrong name costs seconds and not a run.
#pragma once

#include "functions/function.h"

namespace plimsoll::cli {

// Blocks for up to 30 s a model. What may pass (a busy server, a timeout) is a warning. Errors: not_found when a server says that it
// has no such model, and those of making a client.
Result<void> check_llm_endpoints(functions::Builder& builder);

}  // namespace plimsoll::cli
