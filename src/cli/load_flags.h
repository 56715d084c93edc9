// The flags of `plimsoll load`; load_setup.h says what they mean together.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "cli/catalogue.h"

namespace plimsoll::cli {

struct LoadFlags {
    // What is called.
    std::string url, kind = "chat", target_file, model, api_key_env;
    std::vector<std::string> headers;
    ConfigFlags config;  // of a workflow in this process
    bool no_stream = false, allow_remote = false, insecure = false;
    std::int64_t max_tokens = 0;
    // What is asked.
    std::vector<std::string> inputs;
    std::string inputs_file, replay;
    int synthetic_words = 64, turns = 1;
    std::string pause = "0s";
    double speed = 1;
    bool no_ignore_eos = false;
    // When.
    int users = 0;
    std::string think = "0s", ramp_up = "0s";
    bool exponential_think = false;
    double rate = 0;
    std::string arrival = "poisson", stages, arrivals_file;
    double cv = 1;
    std::string duration, warmup = "0s", drain = "30s", timeout = "300s";
    std::uint64_t max_requests = 0, seed = 1;
    int max_in_flight = 10'000, threads = 0;
    // What it must keep to.
    std::vector<std::string> thresholds;
    std::string max_schedule_error;
    std::int64_t max_dropped = -1;
    int min_open = -1;
    // What is watched and written.
    std::string output_dir, proc_root = "/proc", cgroup_root = "/sys/fs/cgroup";
    std::vector<std::string> metrics_urls;
    std::vector<int> pids;
    double sample_every = 1;
    std::uint64_t traced_sessions = 2000;
    bool no_sampling = false;
};

// What is asked, when, thresholds and the folder: what a run against a server and one in virtual time have in common.
void add_plan_flags(CLI::App& command, LoadFlags& flags);
// The same, and what `load` has besides.
void add_load_flags(CLI::App& command, LoadFlags& flags);

}  // namespace plimsoll::cli
