// `chat_completion`: one question, one answer; the simplest workflow and the baseline of every scale test.
#pragma once

#include "functions/function.h"

namespace plimsoll::functions {

FunctionType chat_completion_type();

}  // namespace plimsoll::functions
