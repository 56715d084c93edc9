// The run: every item of a dataset through a session runner, a fixed number at a time, raw data on the disk first.
//
//   auto result = run_sessions(pool, runner, options);   // blocks; call it from a thread that is not an io thread
//
// Closed loop: items start in the dataset's order, the next one as soon as a place is free. Each session stays on one io thread of the
// pool. A failing or throwing session fails its item only. What a session emitted before it failed is kept.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "eval/dataset.h"
#include "eval/usage.h"
#include "event/session.h"
#include "net/io_pool.h"

namespace plimsoll::eval {

namespace asio = boost::asio;

struct SessionOutcome {
    json::value output;
    std::optional<Error> error;
};

// Runs one item: a local workflow or a remote endpoint. Steps go to the session; session->finish() may be left to run_sessions().
// Cancellation must end it.
using SessionRunner = std::function<asio::awaitable<SessionOutcome>(std::shared_ptr<event::Session>, DatasetItem)>;

struct Progress {
    std::size_t total = 0;
    std::size_t done = 0;  // failed and taken-over ones included
    std::size_t running = 0;
    std::size_t failed = 0;
    std::size_t resumed = 0;  // taken over from the log of an interrupted run
    double elapsed_s = 0;
};

// How a run is asked to stop early. Safe to set from a signal handler.
enum class Stop : int { no, finish_running, abort_running };

struct RunOptions {
    std::vector<DatasetItem> items;
    int max_concurrency = 8;              // 0 = all at once
    std::filesystem::path folder;         // events.jsonl goes here; a log that is there is replaced unless `resume`
    std::vector<event::StepSink*> sinks;  // besides the log; outlive the run
    bool resume = false;                  // take over what finished without an error; the log's run id and seed stay
    bool skip_completed = false;          // items that have a generated answer already are not run
    std::string config_hash;              // of all that changes a session's course; must be equal to resume
    std::uint64_t seed = 0;               // of all ids and every random choice of a session; equal seeds give equal ids, so draw one a run
    WallClock clock = system_clock();
    std::chrono::steady_clock::duration session_timeout{};  // 0 = none; a session beyond it is cancelled and fails with `timeout`
    std::function<void(const Progress&)> on_progress;       // on the calling thread, at most every 100 ms and once at the end
    const std::atomic<Stop>* stop = nullptr;
};

struct ItemResult {
    DatasetItem item;
    json::value output;          // null when the session failed
    std::optional<Error> error;  // `cancelled`: aborted or never started
    std::vector<event::Step> steps;
    // Its place in the loop was free: the run began, or the session before it there ended. Seconds since the epoch on this machine's
    // clock, 0 = never started. Until `start` the item waited for this program, as for the disk that keeps the session before it.
    double intended_start = 0;
    double start = 0;  // the runner was called
    double end = 0;
    UsageStats usage;
    bool resumed = false;  // taken over, from the log or (skip_completed) from the dataset
};

struct RunResult {
    std::string run_id;
    std::vector<ItemResult> items;   // as many as the options had, in their order
    bool interrupted = false;        // some items were not started or were aborted
    std::optional<Error> log_error;  // the event log failed: what finished later is in `items` only
    std::uint64_t dropped_chunks = 0;
    double started = 0;
    double ended = 0;

    std::size_t failed() const;
};

// Errors: io and no_space when the log cannot be opened; in_use when another process runs in the folder; config when `resume` finds
// the log of another dataset or config; unsupported for a log of a newer version.
Result<RunResult> run_sessions(net::IoPool& pool, SessionRunner runner, RunOptions options);

// Identifies a dataset: ids, questions and their order. 16 hex digits.
std::string dataset_hash(const std::vector<DatasetItem>& items);
// The same hash (FNV-1a, 64 bits) over any text, for config_hash.
std::string text_hash(std::string_view text);

}  // namespace plimsoll::eval
