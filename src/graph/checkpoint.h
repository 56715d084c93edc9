// What a thread of runs remembers: checkpoints, the writes of unfinished steps, and the saver that keeps both.
//
// A thread is one conversation or job; every superstep of a run on it ends in a checkpoint whose parent is the one before.
// A saver stores what it is given and never looks inside a value. Savers share one conformance suite (saver_conformance.h).
//
//   auto saver = std::make_shared<MemorySaver>();                 // or SqliteSaver::open("state.db")
//   co_await saver->put({"thread-1", ""}, checkpoint, metadata, changed);
//   Result<std::optional<StoredCheckpoint>> latest = co_await saver->get({"thread-1", ""});
//
// Savers are shared by all runs of a process and safe to call from any thread; the awaitables complete on the caller's
// executor, which must outlive the call, and are not cancelled half-way: a call that has begun is carried out and answered.
// A read sees every write whose awaitable has completed. Errors are those of the storage: io, no_space, in_use (another
// process holds the file too long), and parse for a damaged file.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/container/flat_map.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace plimsoll::graph {

namespace asio = boost::asio;

// A value as JSON text. Immutable and shared: a channel that did not change keeps its text from checkpoint to checkpoint.
using Blob = std::shared_ptr<const std::string>;

// A map in one piece of memory, in the order of the names: a checkpoint is copied at every step.
template <class Value>
using ByName = boost::container::flat_map<std::string, Value, std::less<>>;

// Grows with every change of any channel of the thread; 0 = never written.
using Version = std::uint64_t;

// `space` is empty for the outermost graph, "name:task" for a graph inside it, joined with '|' further down.
// `id` empty: the latest.
struct CheckpointKey {
    std::string thread;
    std::string space;
    std::string id;
    friend bool operator==(const CheckpointKey&, const CheckpointKey&) = default;
};

struct Checkpoint {
    std::string id;          // 32 hex digits, later ones sort higher within the process and across restarts
    std::string created_at;  // ISO 8601, UTC
    ByName<Blob> values;     // by channel; channels without a value are absent
    ByName<Version> versions;
    ByName<ByName<Version>> seen;      // node -> trigger -> version it ran on
    std::vector<std::string> updated;  // channels that this step changed
};

enum class CheckpointSource : std::uint8_t { input, loop, update, fork };
std::string_view to_string(CheckpointSource source);

struct CheckpointMetadata {
    CheckpointSource source = CheckpointSource::loop;
    std::int64_t step = 0;                                    // -1 = the input
    std::map<std::string, std::string, std::less<>> parents;  // space -> id of the enclosing graphs' checkpoints
    std::string run;                                          // which run wrote it; empty when nobody said
    json::object extra;                                       // the caller's own; list() filters by it
};

// One write of a task whose step is not applied yet. A task's writes are stored once, all together, when it ends.
struct PendingWrite {
    std::string task;
    std::string channel;  // a channel, or a reserved name (kInterruptChannel, …)
    Blob value;
};

struct StoredCheckpoint {
    CheckpointKey key;  // with id
    Checkpoint checkpoint;
    CheckpointMetadata metadata;
    std::optional<CheckpointKey> parent;
    std::vector<PendingWrite> writes;  // in the order of their tasks' put_writes, each task's in its own order
};

struct ListOptions {
    std::optional<std::string> space;  // absent: all of the thread's
    json::object filter;               // metadata that must be equal: source, step, run and members of extra
    std::string before;                // ids lower than this; empty: all
    std::optional<std::size_t> limit;
};

// What prune() leaves of a thread.
enum class Keep : std::uint8_t { latest, none };

class CheckpointSaver {
  public:
    virtual ~CheckpointSaver() = default;

    // Stores `checkpoint` under key.thread and key.space; key.id names its parent (empty: none). `changed` names the channels
    // whose values differ from the parent's: the saver may share the others. Writing the same id again replaces it.
    virtual asio::awaitable<Result<void>> put(CheckpointKey key, Checkpoint checkpoint, CheckpointMetadata metadata,
                                              std::vector<std::string> changed) = 0;

    // Stores what a task wrote against the checkpoint `key`. A second call for the same task is ignored, except for the reserved
    // channels (error, interrupt, resume), whose value it replaces. Errors besides: not_found without that checkpoint.
    virtual asio::awaitable<Result<void>> put_writes(CheckpointKey key, std::string task, std::vector<PendingWrite> writes) = 0;

    // nullopt: there is none.
    virtual asio::awaitable<Result<std::optional<StoredCheckpoint>>> get(CheckpointKey key) = 0;

    // Newest first. An unknown thread has none.
    virtual asio::awaitable<Result<std::vector<StoredCheckpoint>>> list(std::string thread, ListOptions options) = 0;

    virtual asio::awaitable<Result<void>> delete_thread(std::string thread) = 0;
    // Errors besides: in_use when `to` has checkpoints already.
    virtual asio::awaitable<Result<void>> copy_thread(std::string from, std::string to) = 0;
    virtual asio::awaitable<Result<void>> prune(std::vector<std::string> threads, Keep keep) = 0;
    virtual asio::awaitable<Result<void>> delete_runs(std::vector<std::string> runs) = 0;
};

// Reserved names among pending writes.
inline constexpr std::string_view kErrorChannel = "__error__";
inline constexpr std::string_view kInterruptChannel = "__interrupt__";
inline constexpr std::string_view kResumeChannel = "__resume__";
inline constexpr std::string_view kSendChannel = "__sends__";   // one Send: {"node", "argument"}
inline constexpr std::string_view kNoWrites = "__no_writes__";  // the task ended well and wrote nothing

// A new checkpoint id, higher than every one made before in this process and than `after`: the parent's id keeps a thread's
// checkpoints in order when the clock was set back between two processes.
std::string make_checkpoint_id(std::string_view after = {});

}  // namespace plimsoll::graph
