// What a profiled run says in a report: for `report`, which reads a run folder, and `profile`, which has just made one.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "profile/profiler.h"
#include "report/html_report.h"

namespace plimsoll::cli {

// `source` names the folder or files; `rows` is workflow_output.json, for the questions and answers of the sessions shown one
// by one, and may be null.
void add_profiled_run(const std::string& source, profile::ProfileResult profile, const event::SkipReport& skipped, const json::value& rows,
                      report::ReportView& view);

// The price table in a YAML or JSON file; an empty one for an empty name. Errors: config, naming the place; not_found.
Result<profile::PriceTable> load_prices(const std::string& file);

// Errors: invalid_argument when --session names one that is not there.
Result<void> check_session(std::optional<std::size_t> session, std::size_t sessions);

std::string format_percent(double share);

// With version, time and machine in its foot, which are added to the view. Errors: io, no_space.
Result<void> save_report(report::ReportView& view, const std::filesystem::path& file);

}  // namespace plimsoll::cli
