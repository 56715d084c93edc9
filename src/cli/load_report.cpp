#include "cli/load_report.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "base/files.h"
#include "cli/pictures.h"
#include "cli/profile_view.h"
#include "load/duration_text.h"
#include "load/run_files.h"
#include "report/load_plots.h"

namespace plimsoll::cli {
namespace {

namespace fs = std::filesystem;
using load::duration_text;

double number_of(const json::value& object, std::string_view key) { return get_number(object, key).value_or(0); }

std::string text_of(const json::value& object, std::string_view key) { return get_string(object, key).value_or(""); }

report::TableView make_times(const json::value& summary) {
    report::TableView table;
    table.head = {"", "Count", "Mean", "Median", "p95", "p99", "Max"};
    const auto* metrics = find(summary, "metrics");
    for (const auto& [key, name] :
         {std::pair("ttft", "Time to first token"), std::pair("itl", "Between tokens"),
          std::pair("latency", "Latency from the planned start"), std::pair("raw_latency", "Latency from the real start"),
          std::pair("session", "Session"), std::pair("schedule_error", "Schedule error")}) {
        const auto* values = metrics ? find(*metrics, key) : nullptr;
        const auto count = values ? get_int(*values, "count").value_or(0) : 0;
        if (count == 0) continue;
        std::vector<std::string> row = {name, fmt::format("{}", count)};
        for (const char* stat : {"mean_s", "p50_s", "p95_s", "p99_s", "max_s"}) row.push_back(duration_text(number_of(*values, stat)));
        table.rows.push_back(std::move(row));
    }
    return table;
}

report::TableView make_checks(const json::value& summary) {
    report::TableView table{.head = {"Check", "Measured", "Result"}, .rows = {}, .text_columns = 3};
    for (const char* key : {"honesty", "thresholds"})
        if (const auto* checks = find(summary, key); checks && checks->is_array())
            for (const json::value& check : checks->get_array()) {
                const std::string value = text_of(check, "value");
                const auto* ok = find(check, "ok");
                table.rows.push_back(
                    {text_of(check, "text"), value.empty() ? "nothing" : value, ok && ok->is_bool() && ok->get_bool() ? "ok" : "failed"});
            }
    return table;
}

report::TableView make_errors(const json::value& summary) {
    report::TableView table{.head = {"Error", "First message", "Calls"}, .rows = {}, .text_columns = 2};
    if (const auto* errors = find(summary, "errors"); errors && errors->is_object())
        for (const auto& [kind, error] : errors->get_object())
            table.rows.push_back({std::string(kind), text_of(error, "example"), fmt::format("{}", get_int(error, "count").value_or(0))});
    return table;
}

// Of the time of the run; what cannot be read is a warning.
Result<std::vector<report::Picture>> make_pictures(const fs::path& folder) {
    const auto timeline = load_file(folder / load::kTimelineCsv);
    if (!timeline) return fail(timeline.error());
    auto plots = report::make_load_plots(*timeline);
    if (!plots) return fail(plots.error().with_context((folder / load::kTimelineCsv).string()));
    std::vector<report::Picture> pictures;
    if (!plots->empty()) pictures.push_back({load::kLoadPicture, std::move(*plots)});
    for (report::Picture& picture : load_machine_picture(folder)) pictures.push_back(std::move(picture));
    return pictures;
}

}  // namespace

Result<void> add_load(const fs::path& folder, report::ReportView& view) {
    const fs::path file = folder / load::kSummaryJson;
    const auto text = load_file(file);
    if (!text) return fail(text.error());
    const auto summary = parse_json(*text);
    if (!summary) return fail(summary.error().with_context(file.string()));
    const auto* plan = find(*summary, "plan");
    const auto* metrics = find(*summary, "metrics");
    const auto* latency = metrics ? find(*metrics, "latency") : nullptr;
    if (!plan || !latency) return fail(ErrorCode::parse, file.string() + ": no summary of a load run");
    auto pictures = make_pictures(folder);
    if (!pictures) return fail(pictures.error());

    if (view.headline.empty())
        view.headline = fmt::format("{}: {:.4g} calls a second, p95 latency {}", text_of(*plan, "text"), number_of(*summary, "calls_per_s"),
                                    duration_text(number_of(*latency, "p95_s")));
    view.facts.insert(view.facts.end(),
                      {{fmt::format("{}", get_int(*summary, "calls").value_or(0)), "calls counted"},
                       {fmt::format("{:.3g} %", 100 * number_of(*summary, "error_rate")), "failed or unfinished"},
                       {fmt::format("{:.4g}", number_of(*summary, "tokens_per_s")), "tokens a second"},
                       {fmt::format("{}", get_int(*summary, "peak_calls_connected").value_or(0)), "calls connected at once, at most"}});
    const auto* interrupted = find(*summary, "interrupted");
    report::LoadRunView load;
    load.statements.push_back(fmt::format("{} sessions started, {} starts dropped{}.", get_int(*summary, "sessions_started").value_or(0),
                                          get_int(*summary, "starts_dropped").value_or(0),
                                          interrupted && *interrupted == true ? "; the run was interrupted" : ""));
    load.pictures = std::move(*pictures);
    load.times = make_times(*summary);
    load.checks = make_checks(*summary);
    load.errors = make_errors(*summary);
    if (const auto* findings = find(*summary, "findings"); findings && findings->is_array())
        for (const json::value& finding : findings->get_array()) load.statements.push_back(to_text(finding));
    view.load = std::move(load);
    view.about.push_back({text_of(*summary, "target"), "target"});
    view.about.push_back({to_iso8601(number_of(*summary, "wall_start")).substr(0, 19) + " UTC", "load run started"});
    return {};
}

Result<void> save_load_report(const fs::path& folder) {
    report::ReportView view{.title = "Plimsoll load run"};
    PLIMSOLL_TRY(add_load(folder, view));
    save_pictures(folder, view.load->pictures);
    return save_report(view, folder / load::kReportHtml);
}

}  // namespace plimsoll::cli
