// A forecast as a page of its own.
#pragma once

#include <filesystem>

#include "base/error.h"
#include "forecast/forecast.h"

namespace plimsoll::cli {

// Errors: io, no_space.
Result<void> save_forecast_report(const forecast::Recording& recording, const forecast::ForecastRequest& request,
                                  const forecast::ForecastResult& result, const std::filesystem::path& file);

}  // namespace plimsoll::cli
