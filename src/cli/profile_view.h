// What a profiled run says in a report: for `report`, which reads a run folder, and `profile`, which has just made one.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "profile/profiler.h"
#include "report/html_report.h"

namespace plimsoll::cli {

struct ProfiledRun {
    std::string source;  // folder or files, as the reader knows them
    const std::vector<event::SessionTrace>& sessions;
    const profile::ProfileResult& profile;
    json::value rows;       // workflow_output.json, for questions and answers; may be null
    std::size_t shown = 0;  // session whose waterfall is drawn; none when there are fewer
};
void add_profiled_run(const ProfiledRun& run, report::ReportView& view);

std::string format_percent(double share);

// With version, time and machine in its foot. Errors: io, no_space.
Result<void> save_report(report::ReportView view, const std::filesystem::path& file);

}  // namespace plimsoll::cli
