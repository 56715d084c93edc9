#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "base/files.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/forecast_report.h"
#include "cli/load_report.h"
#include "cli/profile_files.h"
#include "cli/profile_view.h"
#include "cli/sizing_view.h"
#include "profile/profiler.h"
#include "record/trace_file.h"
#include "report/html_report.h"

namespace plimsoll::cli {
namespace {

namespace fs = std::filesystem;

struct ReportFlags {
    std::string eval_dir;
    std::string sizing_dir;
    std::string forecast_dir;
    std::string load_dir;
    std::string output = "report.html";
    std::string prices;
    std::string gantt;
    std::optional<std::size_t> session;
    TargetFlags targets;
};

Result<void> add_eval(const ReportFlags& flags, report::ReportView& view) {
    auto prices = load_prices(flags.prices);
    if (!prices) return fail(prices.error());
    const auto rows_text = load_file(fs::path(flags.eval_dir) / "workflow_output.json");
    const auto rows = rows_text ? parse_json(*rows_text) : fail(rows_text.error());
    profile::ProfilerConfig config;
    config.base_metrics = true;
    event::SkipReport skipped;
    const profile::SessionSource source = [&](const auto& on_session) -> Result<event::SkipReport> {
        record::TraceReader reader(on_session, false);
        PLIMSOLL_TRY(reader.read(flags.eval_dir));
        reader.finish();
        return skipped = reader.sources().front().skipped;
    };
    profile::NoArtefacts none;
    auto profiled = profile::profile(source, {std::move(*prices), flags.session}, config, none);
    if (!profiled) return fail(profiled.error());
    profile::ProfileResult profile = std::move(*profiled);
    PLIMSOLL_TRY(check_session(flags.session, profile.sessions));
    if (!flags.gantt.empty()) PLIMSOLL_TRY(save_gantt(profile, flags.gantt, flags.session));
    add_profiled_run(flags.eval_dir, std::move(profile), skipped, rows ? *rows : json::value(), view);
    return {};
}

Result<void> add_forecast_folder(const fs::path& folder, report::ReportView& view) {
    const auto text = load_file(folder / kForecastJson);
    if (!text) return fail(text.error());
    const auto forecast = parse_json(*text);
    if (!forecast) return fail(forecast.error().with_context((folder / kForecastJson).string()));
    if (const auto added = add_forecast(*forecast, view); !added)
        return fail(added.error().with_context((folder / kForecastJson).string()));
    view.about.push_back({folder.string(), "forecast"});
    return {};
}

// The sections in the order in which a headline gives way to the next.
Result<void> add_sections(const ReportFlags& flags, report::ReportView& view) {
    if (!flags.eval_dir.empty()) PLIMSOLL_TRY(add_eval(flags, view));
    if (!flags.sizing_dir.empty()) PLIMSOLL_TRY(add_sizing(flags.sizing_dir, flags.targets, view));
    if (!flags.forecast_dir.empty()) PLIMSOLL_TRY(add_forecast_folder(flags.forecast_dir, view));
    if (!flags.load_dir.empty()) PLIMSOLL_TRY(add_load(flags.load_dir, view));
    if (view.headline.empty()) view.headline = "One agent, profiled";
    return {};
}

int write_report(const ReportFlags& flags) {
    report::ReportView view;
    view.title = "Plimsoll report";
    if (const auto added = add_sections(flags, view); !added) {
        log_error("{}", added.error().message);
        return 1;
    }
    if (const auto saved = save_report(view, flags.output); !saved) {
        log_error("{}", saved.error().message);
        return 1;
    }
    std::printf("%s\n%s\n", view.headline.c_str(), fs::absolute(flags.output).c_str());
    return 0;
}

}  // namespace

void add_report_command(CLI::App& app, Run& run) {
    auto* command =
        app.add_subcommand("report", "one self-contained HTML file from a profiled run, a sizing run, its forecast and a load run");
    const auto flags = std::make_shared<ReportFlags>();
    command->add_option("--eval_dir,--eval-dir", flags->eval_dir, "run folder of an eval");
    command->add_option("--sizing_dir,--sizing-dir", flags->sizing_dir, "--calc_output_dir of a sizing calc");
    command->add_option("--forecast_dir,--forecast-dir", flags->forecast_dir, "--output_dir of a sizing forecast");
    command->add_option("--load_dir,--load-dir", flags->load_dir, "--output_dir of a load run");
    command->add_option("--gantt", flags->gantt, "also write a Gantt chart as PNG: of all sessions, or of --session");
    add_report_flags(*command, flags->prices, flags->session);
    command->add_option("-o,--output", flags->output, "file to write")->capture_default_str();
    add_target_flags(*command, flags->targets);
    command->callback([&run, flags] {
        if (flags->eval_dir.empty() && flags->sizing_dir.empty() && flags->forecast_dir.empty() && flags->load_dir.empty())
            throw CLI::ValidationError("report", "give at least one of --eval_dir, --sizing_dir, --forecast_dir and --load_dir");
        run = [flags] { return write_report(*flags); };
    });
}

}  // namespace plimsoll::cli
