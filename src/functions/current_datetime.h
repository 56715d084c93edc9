// `current_datetime`: the date and time, in the zone of the request's x-timezone header, else UTC.
#pragma once

#include "functions/function.h"

namespace plimsoll::functions {

FunctionType current_datetime_type();

// "The current time of day is 2026-11-22 23:55:51 +0100". Unknown zone names mean UTC; zones come from the system's tzdata.
std::string describe_time(double epoch_seconds, const std::string& zone);

}  // namespace plimsoll::functions
