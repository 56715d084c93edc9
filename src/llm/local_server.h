// The embedded model server: llama.cpp's server as a supervised child process, shared by every component of a config that
// says `_type: local`. Started on first use on a free loopback port, health-checked, restarted when it dies or hangs (with back-off
// and a bound), logging to a file, and stopped with this process even on kill -9 (PR_SET_PDEATHSIG from a long-lived thread).
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"

namespace plimsoll::llm {

struct LocalServerOptions {
    std::filesystem::path server;      // the llama-server binary
    std::filesystem::path model_file;  // GGUF
    std::string alias;                 // model name it answers to
    bool embeddings = false;
    int slots = 4;                // concurrent sequences (continuous batching)
    int context_per_slot = 2048;  // tokens; the server's -c is slots × this
    int threads = 1;              // two collapse when cores are shared (measured: 105 -> 28 tokens/s)
    std::filesystem::path log_file;
    std::chrono::seconds start_timeout{30};
    int max_restarts = 5;                           // in a row; forgiven after a minute of health
    std::chrono::milliseconds health_every{5'000};  // asked for while it runs; it answers within a millisecond, busy or not
    std::chrono::milliseconds hung_after{60'000};   // without an answer: killed and started again
    std::function<void()> on_change;                // a process is there, is ready or has ended; on the supervisor's thread
};

class LocalServer {
  public:
    // Starts and waits until healthy; blocks, so call it off the io threads. Errors: not_found (binary or model; says how to
    // get them), invalid_argument, timeout, internal (it died; the message quotes the end of its log).
    static Result<std::unique_ptr<LocalServer>> start(LocalServerOptions options);
    ~LocalServer();  // SIGTERM, wait, SIGTERM, wait, SIGKILL: blocks for 3 s at worst, as a rule for 0.03 s

    // Any thread may ask these at any time.
    std::string base_url() const;     // "http://127.0.0.1:PORT/v1"; changes after a restart
    std::string metrics_url() const;  // of its Prometheus metrics; empty when it only embeds, for such a server has none
    int pid() const;                  // 0 while there is no process: between restarts and after the last one
    int restarts() const;             // since start()
    const LocalServerOptions& options() const;

  private:
    struct Impl;
    explicit LocalServer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// Where `tools/models/setup.sh` put server and models: $PLIMSOLL_MODELS, else .models in the working folder, beside the binary's
// parent folder, or ~/.cache/plimsoll/models. Errors: not_found with the command that makes them.
Result<std::filesystem::path> find_models_folder();

// The servers of one program run, keyed by their options; start() once per distinct option set. Thread-safe.
class LocalServers {
  public:
    // Servers whose options name no log file write to `log_folder`/<alias>-<number>.log.
    explicit LocalServers(std::filesystem::path log_folder);
    ~LocalServers();
    // Blocks while it starts; others asking for the same one wait for it. A failed start is tried again by the next get().
    Result<LocalServer*> get(const LocalServerOptions& options);
    std::vector<LocalServer*> all() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace plimsoll::llm
