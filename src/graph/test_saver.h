// For tests: a saver in memory that takes a turn of the loop for each write and asks a hook first, which may fail it.
#pragma once

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <utility>

#include "graph/memory_saver.h"

namespace plimsoll::graph {

class HookedSaver final : public CheckpointSaver {
  public:
    using Hook = std::function<Result<void>()>;
    explicit HookedSaver(Hook hook) : hook_(std::move(hook)) {}

    asio::awaitable<Result<void>> put(CheckpointKey key, Checkpoint checkpoint, CheckpointMetadata metadata,
                                      std::vector<std::string> changed) override {
        co_await turn();
        const auto allowed = hook_();
        if (!allowed) co_return allowed;
        co_return co_await inner_.put(std::move(key), std::move(checkpoint), std::move(metadata), std::move(changed));
    }
    asio::awaitable<Result<void>> put_writes(CheckpointKey key, std::string task, std::vector<PendingWrite> writes) override {
        co_await turn();
        const auto allowed = hook_();
        if (!allowed) co_return allowed;
        co_return co_await inner_.put_writes(std::move(key), std::move(task), std::move(writes));
    }
    asio::awaitable<Result<std::optional<StoredCheckpoint>>> get(CheckpointKey key) override { return inner_.get(std::move(key)); }
    asio::awaitable<Result<std::vector<StoredCheckpoint>>> list(std::string thread, ListOptions options) override {
        return inner_.list(std::move(thread), std::move(options));
    }
    asio::awaitable<Result<void>> delete_thread(std::string thread) override { return inner_.delete_thread(std::move(thread)); }
    asio::awaitable<Result<void>> copy_thread(std::string from, std::string to) override {
        return inner_.copy_thread(std::move(from), std::move(to));
    }
    asio::awaitable<Result<void>> prune(std::vector<std::string> threads, Keep keep) override {
        return inner_.prune(std::move(threads), keep);
    }
    asio::awaitable<Result<void>> delete_runs(std::vector<std::string> runs) override { return inner_.delete_runs(std::move(runs)); }

  private:
    // Not cancelled half-way, as savers promise.
    static asio::awaitable<void> turn() {
        co_await asio::post(co_await asio::this_coro::executor,
                            asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable));
    }

    MemorySaver inner_;
    Hook hook_;
};

}  // namespace plimsoll::graph
