#include "cli/profile_files.h"

#include "base/files.h"
#include "base/log.h"
#include "report/waterfall.h"

namespace plimsoll::cli {
namespace {

Result<void> save_gantt(const profile::ProfileResult& result, const std::filesystem::path& folder) {
    std::vector<report::Bar> bars;
    bars.reserve(result.bars.size());
    for (const profile::GanttBar& bar : result.bars)
        bars.push_back({bar.category, bar.name, bar.start, bar.end, bar.depth, bar.failed, std::nullopt});
    const auto picture = report::draw_gantt_png(std::move(bars));
    if (picture) return save_file(folder / "gantt_chart.png", *picture);
    log_warning("gantt_chart.png: {}", picture.error().message);
    return {};
}

}  // namespace

SavedProfile save_profile(const profile::ProfileInput& input, const profile::ProfilerConfig& config, const std::filesystem::path& folder) {
    SavedProfile out;
    const auto note = [&out](Result<void> saved) {
        if (!saved && out.saved) out.saved = std::move(saved);
    };
    out.result = profile::profile(
        input, config, [&](const profile::Artefact& artefact) { note(save_file(folder / artefact.file_name, artefact.content)); });
    for (const auto& [analysis, error] : out.result.failures) log_warning("{}: {}", analysis, error.message);
    if (config.bottleneck_analysis.enable_nested_stack && !out.result.bars.empty()) note(save_gantt(out.result, folder));
    return out;
}

}  // namespace plimsoll::cli
