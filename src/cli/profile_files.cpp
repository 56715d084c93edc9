#include "cli/profile_files.h"

#include <fmt/format.h>

#include "base/files.h"
#include "base/log.h"
#include "report/waterfall.h"

namespace plimsoll::cli {

namespace {

// Of a session, everything but the workflow itself.
std::vector<report::Bar> session_bars(const profile::ProfileResult& result, std::size_t session) {
    std::vector<report::Bar> bars;
    for (const profile::ChosenSession& chosen : result.insights.chosen_sessions)
        if (chosen.session == session)
            for (const profile::SessionBar& bar : chosen.bars)
                if (bar.category != event::Category::workflow)
                    bars.push_back({bar.category, bar.name, bar.start, bar.end, bar.depth, bar.failed, std::nullopt});
    return bars;
}

}  // namespace

Result<void> save_gantt(const profile::ProfileResult& result, const std::filesystem::path& file, std::optional<std::size_t> session) {
    std::vector<report::Bar> bars;
    for (const profile::GanttBar& bar : result.bars)
        bars.push_back({bar.category, bar.name, bar.start, bar.end, bar.depth, bar.failed, std::nullopt});
    const auto picture = session
                             ? report::draw_gantt_png(session_bars(result, *session), fmt::format("Gantt Chart of Session {}", *session))
                             : report::draw_gantt_png(std::move(bars), report::kGanttTitle, result.bars_left_out);
    if (!picture) return fail(picture.error().with_context(file.string()));
    return save_file(file, *picture);
}

Result<SavedProfile> save_profile(const profile::SessionSource& source, const profile::ProfileOptions& options,
                                  const profile::ProfilerConfig& config, const std::filesystem::path& folder) {
    profile::ArtefactFolder artefacts(folder);
    auto profiled = profile::profile(source, options, config, artefacts);
    if (!profiled) return fail(profiled.error());
    SavedProfile out{.result = std::move(*profiled), .saved = artefacts.saved()};
    for (const auto& [analysis, error] : out.result.failures) log_warning("{}: {}", analysis, error.message);
    if (!config.bottleneck_analysis.enable_nested_stack || out.result.bars.empty()) return out;
    const auto drawn = save_gantt(out.result, folder / "gantt_chart.png", std::nullopt);
    const bool not_written = !drawn && (drawn.error().code == ErrorCode::io || drawn.error().code == ErrorCode::no_space);
    if (not_written && out.saved)
        out.saved = drawn;
    else if (!drawn && !not_written)
        log_warning("{}", drawn.error().message);
    return out;
}

}  // namespace plimsoll::cli
