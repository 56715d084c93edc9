// A connection with a thread of its own, so that coroutines use a database without blocking an io thread.
//
//   DatabaseThread writer(std::move(database), DatabaseThread::Mode::write);
//   Result<int> n = co_await writer.run([](Database& database) -> Result<int> { … });   // from any thread
//
// Calls are served first come, first served. Up to `max_batch` that wait at the same moment share one transaction, and so one
// sync of the disk; each is answered after the commit. A call that fails is undone alone; when the transaction itself fails
// (the disk is full), every call in it gets that error. Backpressure: a caller waits suspended until its call is answered, so
// the line is never longer than there are callers.
// A call that has begun is carried out even when its caller is cancelled. It is answered on the caller's executor, whose context must
// outlive the call, and this object where callers run in a strand: the thread may be the last to let go of one, after its answer.
// The destructor carries out what waits and joins the thread.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "sqlite/database.h"

namespace plimsoll::sqlite {

namespace asio = boost::asio;

class DatabaseThread {
  public:
    enum class Mode : std::uint8_t { read, write };

    static constexpr std::size_t kDefaultBatch = 512;

    // max_batch is at least 1.
    DatabaseThread(Database database, Mode mode, std::size_t max_batch = kDefaultBatch);
    ~DatabaseThread();
    DatabaseThread(const DatabaseThread&) = delete;
    DatabaseThread& operator=(const DatabaseThread&) = delete;

    // work(Database&) returns a Result<T> and runs inside a transaction on the database's thread.
    template <class Work>
    asio::awaitable<std::invoke_result_t<Work&, Database&>> run(Work work) {
        using Answer = std::invoke_result_t<Work&, Database&>;
        return asio::async_initiate<const asio::use_awaitable_t<>, void(Answer)>(
            [this](auto handler, Work call) {
                push(std::make_unique<CallOf<Answer, Work, decltype(handler)>>(std::move(handler), std::move(call)));
            },
            asio::use_awaitable, std::move(work));
    }

    std::size_t waiting() const;         // calls in line, without those of the running transaction
    std::uint64_t transactions() const;  // committed so far

  private:
    class Call {
      public:
        virtual ~Call() = default;
        virtual Result<void> run(Database& database) = 0;      // only whether it failed
        virtual void answer(const Result<void>& outcome) = 0;  // its own answer, or the transaction's error
    };
    template <class Answer, class Work, class Handler>
    class CallOf;

    void push(std::unique_ptr<Call> call);
    void serve();
    void run_batch(std::vector<std::unique_ptr<Call>>& batch);
    Result<void> run_all(std::vector<std::unique_ptr<Call>>& batch);
    Result<void> run_one(Call& call);

    Database database_;
    const Mode mode_;
    const std::size_t max_batch_;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::unique_ptr<Call>> queue_;
    std::uint64_t transactions_ = 0;
    bool closing_ = false;
    std::thread thread_;
};

template <class Answer, class Work, class Handler>
class DatabaseThread::CallOf final : public Call {
  public:
    CallOf(Handler handler, Work work) : work_(std::move(work)), guard_(asio::make_work_guard(handler)), handler_(std::move(handler)) {}

    Result<void> run(Database& database) override {
        answer_.emplace(work_(database));
        if (!*answer_) return fail(answer_->error());
        return {};
    }

    void answer(const Result<void>& outcome) override {
        Answer answer = outcome && answer_ ? std::move(*answer_) : Answer(std::unexpect, outcome.error());
        asio::post(guard_.get_executor(),
                   [handler = std::move(handler_), answer = std::move(answer)]() mutable { std::move(handler)(std::move(answer)); });
        guard_.reset();
    }

  private:
    Work work_;
    std::optional<Answer> answer_;
    decltype(asio::make_work_guard(std::declval<Handler&>())) guard_;
    Handler handler_;
};

}  // namespace plimsoll::sqlite
