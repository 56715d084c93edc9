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

asio::awaitable<Result<void>> CheckpointLog::add(const Progress& progress, std::span<const Task> planned, CheckpointSource source,
                                                 std::int64_t step, const json::value* input) {
    // What is stored so far must not change while a put may still share it; the values are blobs, the rest is copied by put().
    std::vector<std::string> changed = source == CheckpointSource::fork ? std::vector<std::string>{} : progress.save(latest_, planned);
    if (source != CheckpointSource::fork && latest_.values.erase(std::string(kStart)) > 0) changed.emplace_back(kStart);
    if (input) {
        latest_.values.insert_or_assign(std::string(kStart), make_blob(*input));
        changed.emplace_back(kStart);
    }
    for (std::string& name : changed)
        if (std::ranges::find(changed_, name) == changed_.end()) changed_.push_back(std::move(name));
    parent_ = key_;
    latest_.id = make_checkpoint_id(key_.id);
    latest_.created_at = to_iso8601(now_s());
    key_.id = latest_.id;
    metadata_.source = source;
    metadata_.step = step;
    is_unsaved_ = true;
    unsaved_writes_.clear();
    if (durability_ == Durability::exit) co_return Result<void>{};
    co_return co_await put();
}

asio::awaitable<Result<void>> CheckpointLog::put() {
    auto joined = co_await join();
    if (!joined) co_return joined;
    is_unsaved_ = false;
    std::vector<std::string> changed = std::exchange(changed_, {});
    CheckpointKey key = std::exchange(stored_parent_, key_);
    if (durability_ != Durability::async) {
        try {
            co_return co_await saver_->put(std::move(key), latest_, metadata_, std::move(changed));
        } catch (const std::exception&) {
            co_return fail(error_of(std::current_exception()));
        }
    }
    in_flight_ = std::make_shared<PutInFlight>(executor_);
    asio::co_spawn(executor_, saver_->put(std::move(key), latest_, metadata_, std::move(changed)),
                   asio::bind_cancellation_slot(asio::cancellation_slot(),
                                                [flight = in_flight_, saver = saver_](std::exception_ptr exception, Result<void> result) {
                                                    flight->result = exception ? fail(error_of(exception)) : std::move(result);
                                                    flight->is_done = true;
                                                    flight->wake.cancel();
                                                }));
    co_return Result<void>{};
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
        auto stored = co_await put();
        if (!stored) co_return stored;
    }
    auto joined = co_await join();
    if (!joined) co_return joined;
    co_return co_await add_writes(std::exchange(unsaved_writes_, {}));
}

}  // namespace plimsoll::graph
