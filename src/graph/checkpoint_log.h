// The checkpoints of one run, stored as its durability says.
//
//   log.add(progress, planned, CheckpointSource::loop, step);          // makes the next checkpoint
//   if (log.is_due()) co_await log.store();                            // not before finish() with Durability::exit
//   co_await log.add_writes({…});                                      // against the latest checkpoint
//   co_await log.finish();                                             // always, and last: stores what is not stored yet
//
// At most one put is under way at a time, so a saver that is slower than the run slows it. One thread; the awaiting coroutine
// must have throw_if_cancelled off, for what is begun is always waited for.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "graph/checkpoint.h"
#include "graph/progress.h"
#include "graph/run_options.h"

namespace plimsoll::graph {

// A put that runs beside the run; outlives it when the loop dies first.
struct PutInFlight;

class CheckpointLog {
  public:
    // `key` names thread and space; `metadata` has what is the same for all checkpoints of the run.
    CheckpointLog(std::shared_ptr<CheckpointSaver> saver, CheckpointKey key, CheckpointMetadata metadata, Durability durability,
                  asio::any_io_executor executor);

    // Goes on from a stored checkpoint, which becomes the parent of the next one.
    void continue_from(const StoredCheckpoint& stored);
    // `input`, of an input checkpoint: what the entry has still to apply. A fork is the same checkpoint again, without what was
    // written after it. May throw what a conversion to JSON throws.
    void add(const Progress& progress, std::span<const Task> planned, CheckpointSource source, std::int64_t step,
             const json::value* input = nullptr);
    bool is_due() const { return is_unsaved_ && durability_ != Durability::exit; }
    // Every failure here and below is the saver's; with Durability::async it may be that of an earlier call.
    asio::awaitable<Result<void>> store();
    asio::awaitable<Result<void>> add_writes(std::vector<PendingWrite> writes);
    asio::awaitable<Result<void>> finish();

    // Of the latest checkpoint; its id is empty before the first.
    const CheckpointKey& key() const { return key_; }
    const CheckpointKey& parent() const { return parent_; }
    const CheckpointMetadata& metadata() const { return metadata_; }

  private:
    Result<asio::awaitable<Result<void>>> begin_put();
    void put_beside(asio::awaitable<Result<void>> put);
    asio::awaitable<Result<void>> join();

    std::shared_ptr<CheckpointSaver> saver_;
    CheckpointKey key_;
    CheckpointKey parent_;
    CheckpointKey stored_parent_;  // the latest one that the saver has
    CheckpointMetadata metadata_;
    Durability durability_;
    asio::any_io_executor executor_;
    Checkpoint latest_;
    std::vector<std::string> changed_;  // since the saver's latest
    bool is_unsaved_ = false;
    std::vector<PendingWrite> unsaved_writes_;
    std::shared_ptr<PutInFlight> in_flight_;
};

}  // namespace plimsoll::graph
