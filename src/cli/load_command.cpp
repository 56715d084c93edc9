#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/descriptors.h"
#include "cli/load_flags.h"
#include "cli/load_report.h"
#include "cli/load_setup.h"
#include "cli/load_view.h"
#include "cli/pictures.h"
#include "cli/workflow_host.h"
#include "load/diagnosis.h"
#include "load/run_files.h"
#include "load/runner.h"
#include "load/sampler.h"

namespace plimsoll::cli {
namespace {

constexpr int kUsage = 2;

// A workflow of this process as a load's target.
struct LocalWorkflow {
    WorkflowHost& host;
    std::uint64_t seed;
    std::uint64_t traced_sessions;  // with numbers below it have their steps kept
    WallClock clock = system_clock();
};

asio::awaitable<void> run_workflow(std::shared_ptr<const LocalWorkflow> workflow, const load::CallInput& input, Deadline deadline,
                                   load::Answer& answer) {
    WorkflowHost& host = workflow->host;
    const auto session =
        event::Session::make({.number = static_cast<std::int64_t>(input.session), .conversation_id = load::session_id(input)}, host.sinks(),
                             workflow->clock, workflow->seed + input.session);
    // A cancelled session leaves its steps too.
    struct Steps {
        event::Session& session;
        double began;
        bool keep;
        load::Answer& answer;
        ~Steps() { load::take_steps(session.take_steps(), began, keep, answer); }
    };
    const Steps steps{*session, workflow->clock(), input.session < workflow->traced_sessions, answer};
    auto output =
        co_await functions::run_session(session, host.workflow_type(), host.workflow(), json::value(input.messages.back().text), deadline);
    if (output)
        answer.text = to_text(*output);
    else
        answer.error = output.error();
}

// What is called, alive: with a config file a workflow of this process, else a server.
struct LiveTarget {
    config::Config config;
    std::unique_ptr<WorkflowHost> host;
    load::TargetFactory factory;
    std::string name;
    std::string model;
};

Result<void> make_live_target(const LoadFlags& flags, LiveTarget& live) {
    if (flags.config.file.empty()) {
        auto spec = make_target_spec(flags);
        if (!spec) return fail(spec.error());
        live.name = load::shown_target(*spec);
        live.model = spec->model;
        auto factory = load::make_http_target(std::move(*spec));
        if (!factory) return fail(factory.error());
        live.factory = std::move(*factory);
        return {};
    }
    auto config = load_config(flags.config);
    if (!config) return fail(config.error());
    live.config = std::move(*config);
    auto host = WorkflowHost::make(live.config, default_io_threads(), flags.output_dir.empty() ? "." : flags.output_dir);
    if (!host) return fail(host.error());
    live.host = std::move(*host);
    live.name = flags.config.file;
    live.model = live.host->workflow_type();
    const auto workflow =
        std::make_shared<const LocalWorkflow>(*live.host, flags.seed, flags.output_dir.empty() ? 0 : flags.traced_sessions);
    live.factory = load::make_local_target([workflow](const load::CallInput& input, Deadline deadline, load::Answer& answer) {
        return run_workflow(workflow, input, deadline, answer);
    });
    return {};
}

// Everything the flags say, checked before anything runs.
struct LoadSetup {
    load::LoadPlan plan;
    load::ScriptBook book;
    std::vector<load::Threshold> thresholds;
    load::HonestyLimits limits;
};

Result<LoadSetup> make_setup(const LoadFlags& flags) {
    LoadSetup setup;
    for (const std::string& url : flags.metrics_urls)
        if (std::ranges::count(flags.metrics_urls, url) > 1)
            return fail(ErrorCode::invalid_argument, fmt::format("--metrics_url {} is given twice; its figures would count twice", url));
    auto asked = make_asked(flags);
    if (!asked) return fail(asked.error());
    setup.book = std::move(asked->book);
    auto plan = make_plan(flags, asked->starts);
    if (!plan) return fail(plan.error());
    setup.plan = std::move(*plan);
    auto thresholds = make_thresholds(flags);
    if (!thresholds) return fail(thresholds.error());
    setup.thresholds = std::move(*thresholds);
    for (const int pid : flags.pids)
        if (!std::filesystem::exists(std::filesystem::path(flags.proc_root) / std::to_string(pid)))
            return fail(ErrorCode::invalid_argument, fmt::format("--pid: there is no process {}", pid));
    const auto limits = make_limits(flags, setup.plan, setup.book);
    if (!limits) return fail(limits.error());
    setup.limits = *limits;
    return setup;
}

load::SamplerOptions make_sampler_options(const LoadFlags& flags) {
    return {.every_s = flags.sample_every,
            .pids = flags.pids,
            .metrics_urls = flags.metrics_urls,
            .proc = flags.proc_root,
            .cgroups = flags.cgroup_root};
}

load::SampleLog take_samples(std::optional<load::Sampler>& sampler, const load::LoadOutcome& outcome) {
    if (!sampler) return {};
    load::SampleLog log = sampler->stop();
    sampler.reset();
    log.shift(outcome.wall_start);
    if (log.failed_scrapes > 0) log_warning("{} looks at --metrics_url failed, the last: {}", log.failed_scrapes, log.scrape_error);
    if (log.gauges.dropped > 0) log_warning("{} values of gauges were dropped", log.gauges.dropped);
    if (log.dropped > 0) log_warning("the {} oldest samples were dropped", log.dropped);
    return log;
}

std::vector<std::string> make_findings(const LoadFlags& flags, const LoadSetup& setup, const load::LoadStats& stats,
                                       const load::SampleLog& log) {
    load::DiagnosisInput input{.samples = log.samples,
                               .failures = load::find_failures(stats),
                               .schedule_error_p99_s = stats.of(load::Metric::schedule_error).percentile(99),
                               .threads = setup.plan.threads,
                               .open_loop = setup.plan.open,
                               .agent_in_process = !flags.config.file.empty()};
    if (setup.limits.max_schedule_error_s >= 0) input.schedule_error_limit_s = setup.limits.max_schedule_error_s;
    std::vector<std::string> out;
    for (load::Finding& finding : load::diagnose(input)) out.push_back(std::move(finding.text));
    return out;
}

Result<int> run_load(const LoadFlags& flags, const LoadSetup& setup) {
    LiveTarget target;
    PLIMSOLL_TRY(make_live_target(flags, target));
    std::optional<load::RunFiles> files;
    if (!flags.output_dir.empty()) {
        auto opened = load::RunFiles::open(flags.output_dir, setup.book, target.model, flags.traced_sessions);
        if (!opened) return fail(opened.error());
        files.emplace(std::move(*opened));
    }
    std::optional<load::Sampler> sampler;
    if (!flags.no_sampling) sampler.emplace(make_sampler_options(flags));
    load::LoadStats stats(setup.plan);
    LoadView view(stderr);
    const load::LoadObserver observer{.on_progress =
                                          [&](const load::LoadProgress& progress) {
                                              stats.note_progress(progress);
                                              if (files) files->set_wall_start(progress.wall_start);
                                              view.update(progress, stats);
                                          },
                                      .on_records =
                                          [&](const std::vector<load::SessionRecord>& sessions) {
                                              for (const load::SessionRecord& session : sessions) stats.add(session);
                                              if (files) files->add(sessions);
                                          }};
    const auto outcome = load::run_load(setup.plan, setup.book, target.factory, observer);
    if (!outcome) return fail(outcome.error());
    stats.finish(*outcome);
    const load::SampleLog samples = take_samples(sampler, *outcome);
    const load::SummaryInput summary{.plan = setup.plan,
                                     .outcome = *outcome,
                                     .stats = stats,
                                     .target = target.name,
                                     .server = samples.server_seen(),
                                     .honesty = load::check_honesty(setup.limits, stats, *outcome, samples.server_seen()),
                                     .thresholds = load::check_thresholds(setup.thresholds, stats),
                                     .findings = make_findings(flags, setup, stats, samples)};
    std::fputs(load::summary_text(summary).c_str(), stdout);
    if (files) {
        PLIMSOLL_TRY(files->finish(stats, load::summary_json(summary)));
        PLIMSOLL_TRY(load::save_samples(flags.output_dir, samples));
        PLIMSOLL_TRY(save_load_report(flags.output_dir));
        std::printf("\n%s\n", flags.output_dir.c_str());
    }
    return load_exit_code(summary);
}

int run_command(const LoadFlags& flags) {
    const auto setup = make_setup(flags);
    if (!setup) {
        log_error("{}", setup.error().message);
        return kUsage;
    }
    raise_descriptor_limit();
    const auto code = run_load(flags, *setup);
    if (!code) {
        log_error("{}", code.error().message);
        return code.error().code == ErrorCode::invalid_argument || code.error().code == ErrorCode::config ? kUsage : 1;
    }
    return *code;
}

}  // namespace

void add_load_command(CLI::App& app, Run& run) {
    auto* command = app.add_subcommand("load", "many users at once against an agent or model server");
    const auto flags = std::make_shared<LoadFlags>();
    add_load_flags(*command, *flags);
    command->footer(
        "Exit codes: 0 done, 1 nothing worked, 2 wrong usage, 3 a threshold failed, 4 the load was not what was asked for, "
        "130 interrupted (results so far are written).");
    command->callback([&run, flags] { run = [flags] { return run_command(*flags); }; });
}

}  // namespace plimsoll::cli
