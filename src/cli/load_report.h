// A load run as a page, or as a part of one. All of it is made from the files in the run's folder, so that a page made later shows what
// the run's own page shows.
#pragma once

#include <filesystem>

#include "report/html_report.h"

namespace plimsoll::cli {

// Headline, when there is none yet, facts and the load's section. Errors: not_found, io, parse.
Result<void> add_load(const std::filesystem::path& folder, report::ReportView& view);

// report.html and the pictures, beside the numbers. Errors: not_found, io, parse, no_space.
Result<void> save_load_report(const std::filesystem::path& folder);

}  // namespace plimsoll::cli
