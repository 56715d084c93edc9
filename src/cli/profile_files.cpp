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

std::vector<report::Bar> run_bars(const profile::ProfileResult& result) {
    std::vector<report::Bar> bars;
    for (const profile::GanttBar& bar : result.bars.list)
        bars.push_back({bar.category, bar.name, bar.start, bar.end, bar.depth, bar.failed, std::nullopt});
    return bars;
}

Result<void> save_picture(const Result<std::string>& picture, const std::filesystem::path& file) {
    if (!picture) return fail(picture.error().with_context(file.string()));
    return save_file(file, *picture);
}

}  // namespace

Result<void> save_gantt(const profile::ProfileResult& result, const std::filesystem::path& file, std::optional<std::size_t> session) {
    return save_picture(session ? report::draw_gantt_png(session_bars(result, *session), fmt::format("Gantt Chart of Session {}", *session))
                                : report::draw_gantt_png(run_bars(result), report::kGanttTitle, result.bars.left_out),
                        file);
}

Result<SavedProfile> save_profile(const profile::SessionSource& source, const profile::ProfileOptions& options,
                                  const profile::ProfilerConfig& config, const std::filesystem::path& folder) {
    profile::ArtefactFolder artefacts(folder);
    auto profiled = profile::profile(source, options, config, artefacts);
    if (!profiled) return fail(profiled.error());
    SavedProfile out{.result = std::move(*profiled), .saved = artefacts.saved()};
    for (const auto& [analysis, error] : out.result.failures) log_warning("{}: {}", analysis, error.message);
    if (!config.bottleneck_analysis.enable_nested_stack || out.result.bars.list.empty()) return out;
    const auto file = folder / "gantt_chart.png";
    const auto drawn = config.nat_compat ? save_picture(report::draw_nat_gantt_png(run_bars(out.result), out.result.bars.left_out), file)
                                         : save_gantt(out.result, file, std::nullopt);
    const bool not_written = !drawn && (drawn.error().code == ErrorCode::io || drawn.error().code == ErrorCode::no_space);
    if (not_written && out.saved)
        out.saved = drawn;
    else if (!drawn && !not_written)
        log_warning("{}", drawn.error().message);
    return out;
}

}  // namespace plimsoll::cli
