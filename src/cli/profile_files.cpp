#include "cli/profile_files.h"

#include <fmt/format.h>

#include "base/files.h"
#include "base/log.h"
#include "report/waterfall.h"

namespace plimsoll::cli {

namespace {

std::vector<report::Bar> make_bars(const profile::ProfileResult& result, std::optional<std::size_t> session) {
    std::vector<report::Bar> bars;
    bars.reserve(result.bars.size());
    for (const profile::GanttBar& bar : result.bars)
        if (!session || bar.session == *session)
            bars.push_back({bar.category, bar.name, bar.start, bar.end, bar.depth, bar.failed, std::nullopt});
    return bars;
}

Result<void> save_picture(const Result<std::string>& picture, const std::filesystem::path& file) {
    if (!picture) return fail(picture.error().with_context(file.string()));
    return save_file(file, *picture);
}

}  // namespace

Result<void> save_gantt(const profile::ProfileResult& result, const std::filesystem::path& file, std::optional<std::size_t> session) {
    auto bars = make_bars(result, session);
    return save_picture(session ? report::draw_gantt_png(std::move(bars), fmt::format("Gantt Chart of Session {}", *session))
                                : report::draw_gantt_png(std::move(bars)),
                        file);
}

SavedProfile save_profile(const profile::ProfileInput& input, const profile::ProfilerConfig& config, const std::filesystem::path& folder) {
    SavedProfile out;
    const auto note = [&out](Result<void> saved) {
        if (!saved && out.saved) out.saved = std::move(saved);
    };
    out.result = profile::profile(
        input, config, [&](const profile::Artefact& artefact) { note(save_file(folder / artefact.file_name, artefact.content)); });
    for (const auto& [analysis, error] : out.result.failures) log_warning("{}: {}", analysis, error.message);
    if (!config.bottleneck_analysis.enable_nested_stack || out.result.bars.empty()) return out;
    const auto file = folder / "gantt_chart.png";
    const auto drawn = config.nat_compat ? save_picture(report::draw_nat_gantt_png(make_bars(out.result, std::nullopt)), file)
                                         : save_gantt(out.result, file, std::nullopt);
    if (!drawn && (drawn.error().code == ErrorCode::io || drawn.error().code == ErrorCode::no_space))
        note(drawn);
    else if (!drawn)
        log_warning("{}", drawn.error().message);
    return out;
}

}  // namespace plimsoll::cli
