#include "cli/load_flags.h"

#include "cli/flags.h"
#include "load/http_target.h"
#include "load/plan.h"

namespace plimsoll::cli {
namespace {

constexpr int kMaxSyntheticWords = 1'000'000;

// Groups of the help.
constexpr const char* kAsked = "What is asked";
constexpr const char* kWhen = "When";
constexpr const char* kKeep = "What must hold";
constexpr const char* kFiles = "Watching and files";

}  // namespace

void add_plan_flags(CLI::App& command, LoadFlags& flags) {
    const std::string asked = kAsked, when = kWhen, keep = kKeep, files = kFiles;
    command.add_option("--input", flags.inputs, "a question, may be repeated; default: made-up text")->group(asked);
    command
        .add_option("--inputs", flags.inputs_file,
                    "file of questions: one a line, or a JSON list (texts, lists = conversations, dataset rows)")
        ->group(asked);
    command.add_option("--input_words,--input-words", flags.synthetic_words, "length of made-up questions")
        ->check(CLI::Range(1, kMaxSyntheticWords))
        ->capture_default_str()
        ->group(asked);
    command.add_option("--turns", flags.turns, "questions of a session, each with what was said before")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str()
        ->group(asked);
    command.add_option("--pause", flags.pause, "between a session's questions")->capture_default_str()->group(asked);
    command
        .add_option("--replay", flags.replay,
                    "recorded sessions (a run folder or any file that `profile` reads): calls and tool waits in their "
                    "shape, at their recorded starts unless another arrival is given")
        ->group(asked);
    command.add_option("--speed", flags.speed, "of --replay and --arrivals: 2 = twice as fast")
        ->check(above_zero())
        ->capture_default_str()
        ->group(asked);
    command.add_option("--max_tokens,--max-tokens", flags.max_tokens, "bound of an answer; 0: the server's")
        ->check(at_least_zero())
        ->group(asked);

    auto* users = command.add_option("--users,--concurrency", flags.users, "closed loop: sessions at once")
                      ->check(CLI::Range(1, load::kMaxUsers))
                      ->group(when);
    command.add_option("--think", flags.think, "a user's pause between sessions")->capture_default_str()->group(when);
    command.add_flag("--exponential_think,--exponential-think", flags.exponential_think, "draw it with that mean")->group(when);
    command.add_option("--ramp_up,--ramp-up", flags.ramp_up, "spread the users' first starts over it")->capture_default_str()->group(when);
    auto* rate =
        command.add_option("--rate", flags.rate, "open loop: sessions a second")->check(above_zero())->excludes(users)->group(when);
    command.add_option("--arrival", flags.arrival, "poisson, constant or gamma gaps")
        ->check(CLI::IsMember({"poisson", "constant", "gamma"}))
        ->capture_default_str()
        ->group(when);
    command.add_option("--cv", flags.cv, "of gamma gaps: standard deviation over mean")
        ->check(CLI::Range(0.01, 100.0))
        ->capture_default_str()
        ->group(when);
    command.add_option("--stages", flags.stages, "open loop: 30s:50,1m:50,10s:0 = within 30 s to 50 a second, …; starts at --rate or 0")
        ->excludes(users)
        ->group(when);
    command.add_option("--arrivals", flags.arrivals_file, "open loop: recorded times in seconds, one a line or a JSON list")
        ->excludes(users)
        ->excludes(rate)
        ->group(when);
    command.add_option("--duration", flags.duration, "no session starts later")->group(when);
    command.add_option("--max_requests,--max-requests", flags.max_requests, "sessions at most")->group(when);
    command.add_option("--warmup", flags.warmup, "sessions planned earlier do not count")->capture_default_str()->group(when);
    command.add_option("--drain", flags.drain, "how long the last ones may take before they are cancelled")
        ->capture_default_str()
        ->group(when);
    command.add_option("--timeout", flags.timeout, "of one call")->capture_default_str()->group(when);
    command.add_option("--max_in_flight,--max-in-flight", flags.max_in_flight, "open loop: sessions at once; starts beyond it are dropped")
        ->check(above_zero())
        ->capture_default_str()
        ->group(when);
    command.add_option("--seed", flags.seed, "of arrivals, think times and made-up text")->capture_default_str()->group(when);

    command.add_option("--threshold", flags.thresholds, "'p(95) ttft < 2s', 'error_rate < 1%', 'rate > 50/s'; may be repeated")
        ->group(keep);
    command.add_option("--max_dropped,--max-dropped", flags.max_dropped, "starts that may be dropped; open loop: 0 when not given")
        ->group(keep);

    command
        .add_option("-o,--output_dir,--output-dir", flags.output_dir,
                    "folder for load_summary.json, requests.csv, traces, samples and report.html")
        ->group(files);
    command
        .add_option("--traced_sessions,--traced-sessions", flags.traced_sessions,
                    "so many of the first sessions are written with every token")
        ->capture_default_str()
        ->group(files);
}

void add_load_flags(CLI::App& command, LoadFlags& flags) {
    const std::string target = "Target";
    std::vector<CLI::Option*> of_a_server;  // they say nothing about a workflow in this process
    const auto server_option = [&](CLI::Option* option) {
        of_a_server.push_back(option->group(target));
        return option;
    };
    server_option(command.add_option("--url", flags.url, "base URL, e.g. http://localhost:8000/v1"));
    std::vector<std::string> kinds = {"chat", "completions", "nat"};
    for (const std::string_view name : load::known_target_names()) kinds.emplace_back(name);
    auto* kind = server_option(
        command.add_option("--kind", flags.kind,
                           "chat or completions (OpenAI), nat (POST /generate/full), aiq (2.x, its jobs) or aiq_v1 (plan, then report)"));
    kind->check(CLI::IsMember(kinds))->capture_default_str();
    server_option(command.add_option("--target", flags.target_file, "YAML file that describes any other HTTP or SSE endpoint"))
        ->excludes(kind);
    server_option(command.add_option("--model", flags.model, "model to ask for, in a replay too [model, or the recorded one]"));
    server_option(command.add_flag("--no_stream,--no-stream", flags.no_stream, "ask for whole answers"));
    server_option(command.add_option("--header", flags.headers, "\"Name: value\", may be repeated"));
    server_option(command.add_option("--api_key_env,--api-key-env", flags.api_key_env, "environment variable with the bearer token"));
    server_option(command.add_flag("--insecure", flags.insecure, "do not check the server's certificate"));
    server_option(command.add_flag("--allow_remote,--allow-remote", flags.allow_remote, "the target may be another machine"));
    auto* config =
        command.add_option("--config_file,--config-file", flags.config.file, "NAT YAML: its workflow runs in this process")->group(target);
    for (CLI::Option* option : of_a_server) config->excludes(option);
    command.add_option("--override", flags.config.overrides, "PATH VALUE: replaces a.b.c in the config file")
        ->type_size(2)
        ->expected(-1)
        ->needs(config)
        ->group(target);

    add_plan_flags(command, flags);
    const std::string asked = kAsked, when = kWhen, keep = kKeep, files = kFiles;
    config->excludes(command.get_option("--replay"));
    config->excludes(command.get_option("--max_tokens"));
    command
        .add_flag("--no_ignore_eos,--no-ignore-eos", flags.no_ignore_eos,
                  "replay without asking for the recorded length of answers, for servers that refuse ignore_eos")
        ->group(asked);
    command.add_option("--threads", flags.threads, "io threads; 0: one, or two above 2,000 users or calls a second")
        ->check(CLI::Range(0, 64))
        ->group(when);
    command
        .add_option("--max_schedule_error,--max-schedule-error", flags.max_schedule_error,
                    "how late starts may be (p99); open loop: 10ms when not given")
        ->group(keep);
    command
        .add_option("--min_open,--min-open", flags.min_open,
                    "calls that must have been connected at once; closed loop without pauses: its users when not given; 0 asks for nothing")
        ->group(keep);

    command
        .add_option("--metrics_url,--metrics-url", flags.metrics_urls,
                    "Prometheus metrics of a model server, a replica of it or a DCGM exporter; may be repeated")
        ->group(files);
    command.add_option("--pid", flags.pids, "watch this process and its children, may be repeated")->group(files);
    command.add_option("--sample_every,--sample-every", flags.sample_every, "seconds between looks at the machine")
        ->check(CLI::Range(0.1, 3600.0))
        ->capture_default_str()
        ->group(files);
    command.add_option("--proc_root,--proc-root", flags.proc_root, "where /proc is mounted")->capture_default_str()->group(files);
    command.add_option("--cgroup_root,--cgroup-root", flags.cgroup_root, "where the control groups are mounted")
        ->capture_default_str()
        ->group(files);
    command.add_flag("--no_sampling,--no-sampling", flags.no_sampling, "do not watch the machine")->group(files);
}

}  // namespace plimsoll::cli
