#include "cli/profile_view.h"

#include <fmt/format.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"

namespace plimsoll::cli {
namespace {

using report::format_duration;

// The session whose waterfall is shown, and what it answered.
report::SessionView make_session_view(const event::SessionTrace& session, const json::value& rows) {
    report::SessionView view;
    view.bars = report::make_bars(event::pair_spans(session.steps).spans);
    const auto* list = rows.if_array();
    const auto number = static_cast<std::size_t>(session.request_number);
    if (list && number < list->size()) {
        view.title = get_string((*list)[number], "question").value_or("");
        view.answer = get_string((*list)[number], "generated_answer").value_or("");
    }
    return view;
}

void add_step_latencies(const profile::ProfileResult& profile, report::ReportView& view) {
    view.step_table.head = {"Step", "Calls", "Failed", "Median", "p95", "p99", "First token, median", "Tokens/s", "Share of time"};
    for (const profile::StepLatency& step : profile.step_latencies) {
        const std::string name = fmt::format("{} {}", event::to_string(step.category), step.name);
        view.step_latencies.push_back({name, step.category, step.p50, step.p95});
        view.step_table.rows.push_back(
            {name, fmt::format("{}", step.n), fmt::format("{}", step.errors), format_duration(step.p50), format_duration(step.p95),
             format_duration(step.p99), step.ttft_p50 ? format_duration(*step.ttft_p50) : "",
             step.tokens_per_s ? report::format_short(*step.tokens_per_s) : "", format_percent(step.self_time_share)});
    }
    if (profile.step_latencies.empty()) return;
    const profile::StepLatency& top = profile.step_latencies.front();
    view.findings.push_back(fmt::format("{} of the time goes into {} {}: {} calls, median {}, p95 {}.", format_percent(top.self_time_share),
                                        event::to_string(top.category), top.name, top.n, format_duration(top.p50),
                                        format_duration(top.p95)));
    if (top.ttft_p50 && top.p50 > 0)
        view.findings.push_back(fmt::format("A call waits {} of its median for the first token, {} in all.",
                                            format_percent(*top.ttft_p50 / top.p50), format_duration(*top.ttft_p50)));
    for (const auto& [analysis, error] : profile.failures) view.findings.push_back(fmt::format("{} failed: {}", analysis, error.message));
}

}  // namespace

std::string format_percent(double share) { return fmt::format("{:.0f} %", 100 * share); }

void add_profiled_run(const ProfiledRun& run, report::ReportView& view) {
    if (run.shown < run.sessions.size()) view.session = make_session_view(run.sessions[run.shown], run.rows);
    const profile::ProfileResult& profile = run.profile;
    if (profile.workflow_runtime)
        view.facts.push_back(
            {format_duration(profile.workflow_runtime->p95), fmt::format("p95 session, {} profiled", run.sessions.size())});
    view.facts.push_back(
        {format_duration(profile.llm_latency_ci.percentiles.p95), fmt::format("p95 model call, {} calls", profile.llm_latency_ci.n)});
    add_step_latencies(profile, view);
    view.about.push_back({run.source, "profiled run"});
}

Result<void> save_report(report::ReportView view, const std::filesystem::path& file) {
    view.about.push_back({"plimsoll " PLIMSOLL_VERSION, "made by"});
    view.about.push_back({to_iso8601(system_clock()()).substr(0, 19) + " UTC", "on"});
    view.about.push_back({fmt::format("{} cores", ::sysconf(_SC_NPROCESSORS_ONLN)), "machine"});
    return save_file(file, report::render_html(view));
}

}  // namespace plimsoll::cli
