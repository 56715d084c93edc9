// A forecast as files and as a part of a page. All of it is made from forecast.json, the contract of `sizing forecast --json`, so that a
// page made later from the folder shows what the forecast's own page shows.
#pragma once

#include <filesystem>

#include "base/error.h"
#include "base/json.h"
#include "report/html_report.h"

namespace plimsoll::cli {

inline constexpr const char* kForecastJson = "forecast.json";

// Headline, facts and the forecast's section; a headline that is there already gives way to an answer but not to a refusal.
// Errors: parse (no forecast in this shape).
Result<void> add_forecast(const json::value& forecast, report::ReportView& view);

// A page of its own. Errors: parse, io, no_space.
Result<void> save_forecast_page(const json::value& forecast, const std::filesystem::path& file);

// forecast.json, the pictures and report.html. Errors: parse, io, no_space.
Result<void> save_forecast(const json::value& forecast, const std::filesystem::path& folder);

}  // namespace plimsoll::cli
