// A sizing run as a part of a page.
#pragma once

#include <filesystem>

#include "cli/sizing_job.h"
#include "report/html_report.h"

namespace plimsoll::cli {

// Headline, facts and the section of the newest job under `dir` (a --calc_output_dir). Errors: not_found.
Result<void> add_sizing(const std::filesystem::path& dir, TargetFlags targets, report::ReportView& view);

}  // namespace plimsoll::cli
