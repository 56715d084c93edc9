// The forecast as JSON (a stable contract: docs/forecast.md) and as text for a terminal.
#pragma once

#include <string>

#include "base/json.h"
#include "forecast/forecast.h"

namespace plimsoll::forecast {

json::object to_json(const ForecastResult& result);
// With what was measured and asked for besides: the whole of --json.
json::object to_json(const ForecastResult& result, const Recording& recording, const ForecastRequest& request);

// The table with its bottleneck, and with what it rests on besides. Both end in a line end.
std::string answer_text(const ForecastResult& result);
std::string forecast_text(const ForecastResult& result);

}  // namespace plimsoll::forecast
