#include "graph/checkpoint_log.h"

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include "base/clock.h"
#include "graph/node_run.h"

namespace plimsoll::graph {
namespace {

double now_s() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

}  // namespace

struct PutInFlight {
    explicit PutInFlight(const asio::any_io_executor& executor) : wake(executor, asio::steady_timer::time_point::max()) {}

    asio::steady_timer wake;  // never expires; cancelling it wakes join()
    bool is_done = false;
    Result<void> result;
};

CheckpointLog::CheckpointLog(std::shared_ptr<CheckpointSaver> saver, CheckpointKey key, CheckpointMetadata metadata, Durability durability,
                             asio::any_io_executor executor)
    : saver_(std::move(saver)),
      key_(std::move(key)),
      metadata_(std::move(metadata)),
      durability_(durability),
      executor_(std::move(executor)) {
    parent_ = stored_parent_ = key_;
}

void CheckpointLog::continue_from(const StoredCheckpoint& stored) {
    latest_ = stored.checkpoint;
    key_.id = stored.checkpoint.id;
    stored_parent_.id = stored.checkpoint.id;
    if (stored.parent) parent_ = *stored.parent;
    metadata_.source = stored.metadata.source;
    metadata_.step = stored.metadata.step;
}

void CheckpointLog::add(const Progress& progress, std::span<const Task> planned, CheckpointSource source, std::int64_t step,
                        const json::value* input) {
    const auto note_changed = [this](std::string_view name) {
        if (std::ranges::find(changed_, name) == changed_.end()) changed_.emplace_back(name);
    };
    if (source != CheckpointSource::fork) {
        progress.save(latest_, planned);
        for (const std::string& name : latest_.updated) note_changed(name);
        if (const auto old = latest_.values.find(kStart); old != latest_.values.end()) {
            latest_.values.erase(old);
            note_changed(kStart);
        }
    }
    if (input) {
        latest_.values.insert_or_assign(std::string(kStart), make_blob(*input));
        note_changed(kStart);
    }
    parent_.id = std::move(key_.id);
    latest_.id = make_checkpoint_id(parent_.id);
    latest_.created_at = to_iso8601(now_s());
    key_.id = latest_.id;
    metadata_.source = source;
    metadata_.step = step;
    is_unsaved_ = true;
    unsaved_writes_.clear();
}

asio::awaitable<Result<void>> CheckpointLog::store() {
    if (in_flight_) {
        auto joined = co_await join();
        if (!joined) co_return joined;
    }
    auto put = begin_put();
    if (!put) co_return fail(std::move(put).error());
    if (durability_ == Durability::async) {
        put_beside(std::move(*put));
        co_return Result<void>{};
    }
    try {
        co_return co_await std::move(*put);
    } catch (const std::exception&) {
        co_return fail(error_of(std::current_exception()));
    }
}

// Apart from store(), whose frame need not hold the copies.
Result<asio::awaitable<Result<void>>> CheckpointLog::begin_put() {
    is_unsaved_ = false;
    try {
        CheckpointKey key = stored_parent_;
        stored_parent_.id = key_.id;
        return saver_->put(std::move(key), latest_, metadata_, std::exchange(changed_, {}));
    } catch (const std::exception&) {
        return fail(error_of(std::current_exception()));
    }
}

void CheckpointLog::put_beside(asio::awaitable<Result<void>> put) {
    in_flight_ = std::make_shared<PutInFlight>(executor_);
    asio::co_spawn(executor_, std::move(put),
                   asio::bind_cancellation_slot(asio::cancellation_slot(),
                                                [flight = in_flight_, saver = saver_](std::exception_ptr exception, Result<void> result) {
                                                    flight->result = exception ? fail(error_of(exception)) : std::move(result);
                                                    flight->is_done = true;
                                                    flight->wake.cancel();
                                                }));
}

asio::awaitable<Result<void>> CheckpointLog::join() {
    if (!in_flight_) co_return Result<void>{};
    while (!in_flight_->is_done) {
        boost::system::error_code woken;
        co_await in_flight_->wake.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
    co_return std::exchange(in_flight_, nullptr)->result;
}

asio::awaitable<Result<void>> CheckpointLog::add_writes(std::vector<PendingWrite> writes) {
    if (writes.empty()) co_return Result<void>{};
    if (is_unsaved_) {  // its checkpoint is stored at the end, and they after it
        unsaved_writes_.insert(unsaved_writes_.end(), std::make_move_iterator(writes.begin()), std::make_move_iterator(writes.end()));
        co_return Result<void>{};
    }
    auto joined = co_await join();
    if (!joined) co_return joined;
    // A put takes one task's writes.
    for (std::size_t first = 0; first < writes.size();) {
        std::size_t last = first;
        std::vector<PendingWrite> own;
        while (last < writes.size() && writes[last].task == writes[first].task) own.push_back(writes[last++]);
        try {
            auto stored = co_await saver_->put_writes(key_, writes[first].task, std::move(own));
            if (!stored) co_return stored;
        } catch (const std::exception&) {
            co_return fail(error_of(std::current_exception()));
        }
        first = last;
    }
    co_return Result<void>{};
}

asio::awaitable<Result<void>> CheckpointLog::finish() {
    if (is_unsaved_) {
        auto stored = co_await store();
        if (!stored) co_return stored;
    }
    auto joined = co_await join();
    if (!joined) co_return joined;
    co_return co_await add_writes(std::exchange(unsaved_writes_, {}));
}

}  // namespace plimsoll::graph
