#include "sqlite/database_thread.h"

#include <algorithm>
#include <iterator>

namespace plimsoll::sqlite {

DatabaseThread::DatabaseThread(Database database, Mode mode, std::size_t max_batch)
    : database_(std::move(database)), mode_(mode), max_batch_(max_batch), thread_([this] { serve(); }) {
    PLIMSOLL_CHECK(max_batch > 0, "a batch of no calls");
}

DatabaseThread::~DatabaseThread() {
    {
        const std::lock_guard lock(mutex_);
        closing_ = true;
        wake_.notify_one();
    }
    thread_.join();
}

std::size_t DatabaseThread::waiting() const {
    const std::lock_guard lock(mutex_);
    return queue_.size();
}

std::uint64_t DatabaseThread::transactions() const {
    const std::lock_guard lock(mutex_);
    return transactions_;
}

void DatabaseThread::push(std::unique_ptr<Call> call) {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(call));
    wake_.notify_one();
}

void DatabaseThread::serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [this] { return closing_ || !queue_.empty(); });
        if (queue_.empty()) return;
        std::vector<std::unique_ptr<Call>> batch;
        const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(std::min(max_batch_, queue_.size()));
        std::move(queue_.begin(), end, std::back_inserter(batch));
        queue_.erase(queue_.begin(), end);
        lock.unlock();
        run_batch(batch);
        lock.lock();
    }
}

void DatabaseThread::run_batch(std::vector<std::unique_ptr<Call>>& batch) {
    const Result<void> outcome = run_all(batch);
    if (outcome) {
        const std::lock_guard lock(mutex_);
        ++transactions_;
    }
    for (const auto& call : batch) call->answer(outcome);
}

Result<void> DatabaseThread::run_all(std::vector<std::unique_ptr<Call>>& batch) {
    auto transaction = Transaction::begin(database_, mode_ == Mode::write ? Transaction::Kind::write : Transaction::Kind::read);
    if (!transaction) return fail(std::move(transaction).error());
    for (const auto& call : batch) PLIMSOLL_TRY(run_one(*call));
    return transaction->commit();
}

// Fails only when the transaction cannot go on.
Result<void> DatabaseThread::run_one(Call& call) {
    PLIMSOLL_TRY(database_.run("SAVEPOINT one_call"));
    const Result<void> result = call.run(database_);
    if (result) return database_.run("RELEASE one_call");
    if (!database_.in_transaction() || !database_.run("ROLLBACK TO one_call; RELEASE one_call")) return result;
    return {};
}

}  // namespace plimsoll::sqlite
