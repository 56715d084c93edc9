#include "record/write_behind.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

namespace plimsoll::record {
namespace {

// Text waits this long for more unless somebody waits for it: one write for many tokens. It is what a killed process can lose
// of sessions in flight.
constexpr std::chrono::milliseconds kGather{50};
constexpr std::size_t kBatchBytes = 256u << 10;

}  // namespace

WriteBehind::WriteBehind(Write write, Limits limits, OnError on_error)
    : write_(std::move(write)), limits_(limits), on_error_(std::move(on_error)), thread_([this] { run(); }) {}

WriteBehind::~WriteBehind() {
    [[maybe_unused]] const auto closed = close();  // an error has gone to on_error already
}

bool WriteBehind::take(std::string_view text, Kind kind) {
    if (!error_ && kind == Kind::required && queue_.size() + text.size() > limits_.hard_bytes)
        set_error({ErrorCode::limit, fmt::format("more than {} bytes wait to be written: the disk is too slow", limits_.hard_bytes)});
    if (error_ || closing_ || (kind == Kind::droppable && queue_.size() + text.size() > limits_.soft_bytes)) {
        ++dropped_;
        return false;
    }
    const bool first = queue_.empty();
    queue_ += text;
    ++queued_pushes_;
    if (first || queue_.size() >= kBatchBytes) wake_.notify_one();
    return true;
}

void WriteBehind::set_error(Error error) {
    error_ = std::move(error);
    dropped_ += std::exchange(queued_pushes_, 0);
    queue_ = {};
    wake_.notify_one();  // the thread reports it and answers who waits
}

void WriteBehind::push(std::string_view text, Kind kind) {
    const std::lock_guard lock(mutex_);
    take(text, kind);
}

void WriteBehind::push_synced(std::string_view text, Done done) {
    std::unique_lock lock(mutex_);
    if (closing_) {
        ++dropped_;
        lock.unlock();
        done(fail(ErrorCode::cancelled, "the log is closed"));
        return;
    }
    take(text, Kind::required);
    waiting_.push_back(std::move(done));
    wake_.notify_one();
}

void WriteBehind::run() {
    bool reported = false;
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [&] { return closing_ || !queue_.empty() || !waiting_.empty() || (error_ && !reported); });
        wake_.wait_for(lock, kGather, [this] { return closing_ || !waiting_.empty() || queue_.size() >= kBatchBytes || error_; });
        std::string batch = std::exchange(queue_, {});
        std::vector<Done> done = std::exchange(waiting_, {});
        const std::uint64_t pushes = std::exchange(queued_pushes_, 0);
        const bool last = closing_;
        Result<void> result;
        if (!error_ && !batch.empty()) {
            lock.unlock();
            result = write_(batch, !done.empty() || last);
            lock.lock();
            if (!result) {
                dropped_ += pushes;
                set_error(result.error());
            }
        }
        if (error_) result = fail(*error_);
        lock.unlock();
        if (!result && !std::exchange(reported, true) && on_error_) on_error_(result.error());
        for (Done& waiting : done) waiting(result);
        lock.lock();
        if (last && queue_.empty() && waiting_.empty()) return;
    }
}

Result<void> WriteBehind::close() {
    {
        const std::lock_guard lock(mutex_);
        closing_ = true;
        wake_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
    return status();
}

Result<void> WriteBehind::status() const {
    const std::lock_guard lock(mutex_);
    if (error_) return fail(*error_);
    return {};
}

std::uint64_t WriteBehind::dropped() const {
    const std::lock_guard lock(mutex_);
    return dropped_;
}

}  // namespace plimsoll::record
