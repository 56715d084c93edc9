#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/load_flags.h"
#include "cli/load_report.h"
#include "cli/load_setup.h"
#include "cli/pictures.h"
#include "cli/sim_flags.h"
#include "cli/sim_player.h"
#include "load/diagnosis.h"
#include "load/run_files.h"
#include "load/sampler.h"

namespace plimsoll::cli {
namespace {

constexpr int kUsage = 2;

struct PlayFlags {
    SimFlags sim;
    LoadFlags load;
    bool json = false;
};

// "h100-8b-vllm, 2 replicas, in virtual time"
std::string name_of(const SimFlags& flags) {
    if (flags.profile.empty()) return "simulated model server, in virtual time";
    return fmt::format("{}, {} replica{}, in virtual time", flags.profile, flags.replicas, flags.replicas == 1 ? "" : "s");
}

// Requests that all replicas work on at once, at most; nothing without a limit.
std::optional<double> places_of(const llm::SimOptions& options) {
    if (options.engine) return 1.0 * options.engine->limits.max_sequences * options.engine->replicas;
    return options.max_concurrency > 0 ? std::optional<double>(options.max_concurrency) : std::nullopt;
}

struct PlaySetup {
    Asked asked;
    load::LoadPlan plan;
    std::vector<load::Threshold> thresholds;
};

Result<PlaySetup> make_play_setup(PlayFlags& flags) {
    flags.sim.options.seed = flags.load.seed;
    PLIMSOLL_TRY(apply_sim_flags(flags.sim));
    auto asked = make_asked(flags.load);
    if (!asked) return fail(asked.error());
    auto plan = make_plan(flags.load, asked->starts);
    if (!plan) return fail(plan.error());
    auto thresholds = make_thresholds(flags.load);
    if (!thresholds) return fail(thresholds.error());
    return PlaySetup{std::move(*asked), std::move(*plan), std::move(*thresholds)};
}

std::vector<std::string> make_findings(const load::LoadStats& stats, const load::SampleLog& log) {
    std::vector<std::string> out;
    for (load::Finding& finding : load::diagnose({.samples = log.samples, .failures = load::find_failures(stats)}))
        out.push_back(std::move(finding.text));
    return out;
}

Result<int> play_plan(const PlayFlags& flags, const PlaySetup& setup) {
    const std::filesystem::path folder = flags.load.output_dir;
    std::optional<load::RunFiles> files;
    if (!folder.empty()) {
        auto opened = load::RunFiles::open(folder, setup.asked.book, "model", flags.load.traced_sessions);
        if (!opened) return fail(opened.error());
        files.emplace(std::move(*opened));
    }
    const auto timeline = llm::make_sim_timeline(flags.sim.options);
    const auto places = places_of(flags.sim.options);
    load::LoadStats stats(setup.plan);
    load::SampleLog samples;
    const PlayObserver observer{
        .on_session =
            [&](load::SessionRecord session) {
                stats.add(session);
                if (files) files->add({std::move(session)});
            },
        .on_second =
            [&](const load::LoadProgress& progress, load::ServerSample server) {
                stats.note_progress(progress);
                server.max_running = places;
                samples.add({.at_s = load::to_seconds(progress.elapsed), .processes = {}, .gpus = {}, .server = server});
            }};
    const auto begin = std::chrono::steady_clock::now();
    const auto outcome = play(setup.plan, setup.asked.book, *timeline, {flags.sim.options.tokens, flags.load.max_tokens}, observer);
    const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    stats.finish(outcome);
    const load::SummaryInput summary{.plan = setup.plan,
                                     .outcome = outcome,
                                     .stats = stats,
                                     .target = name_of(flags.sim),
                                     .server = samples.server_seen(),
                                     .honesty = load::check_honesty({.max_dropped = flags.load.max_dropped}, stats, outcome),
                                     .thresholds = load::check_thresholds(setup.thresholds, stats),
                                     .findings = make_findings(stats, samples)};
    const json::value summary_json = load::summary_json(summary);
    std::fputs(flags.json ? (to_pretty_json(summary_json) + "\n").c_str() : load::summary_text(summary).c_str(), stdout);
    log_info("{} of virtual time in {}", load::duration_text(load::to_seconds(outcome.elapsed)), load::duration_text(took));
    if (files) {
        PLIMSOLL_TRY(files->finish(stats, summary_json));
        PLIMSOLL_TRY(load::save_samples(folder, samples));
        PLIMSOLL_TRY(save_load_report(folder));
    }
    return load_exit_code(summary);
}

int run_command(PlayFlags flags) {
    const auto setup = make_play_setup(flags);
    if (!setup) {
        log_error("{}", setup.error().message);
        return kUsage;
    }
    const auto code = play_plan(flags, *setup);
    if (!code) log_error("{}", code.error().message);
    return code.value_or(1);
}

}  // namespace

void add_sim_play_command(CLI::App& sim, Run& run) {
    auto* command =
        sim.add_subcommand("play", "a load against the simulated model server in virtual time: hours in seconds, the same each time");
    const auto flags = std::make_shared<PlayFlags>();
    add_sim_flags(*command, flags->sim);
    add_plan_flags(*command, flags->load);
    command->add_flag("--json", flags->json, "print load_summary.json instead of a table");
    command->footer("Exit codes: 0 done, 1 nothing worked, 2 wrong usage, 3 a threshold failed, 4 more starts dropped than --max_dropped.");
    command->callback([&run, flags] { run = [flags] { return run_command(*flags); }; });
}

}  // namespace plimsoll::cli
