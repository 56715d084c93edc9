#include "eval/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <mutex>

#include "base/log.h"
#include "eval/folder_lock.h"
#include "record/event_log_writer.h"

namespace plimsoll::eval {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kProgressInterval{100};

// Sessions of neighbouring numbers must not share random words, so the number goes through a generator of its own.
std::uint64_t session_seed(std::uint64_t run_seed, std::size_t index) {
    constexpr std::uint64_t kOdd = 0xd1342543de82ef95;
    return Random(run_seed + kOdd * (index + 1))();
}

asio::awaitable<SessionOutcome> run_guarded(const SessionRunner& runner, std::shared_ptr<event::Session> session, DatasetItem item) {
    try {
        co_return co_await runner(std::move(session), std::move(item));
    } catch (const boost::system::system_error& error) {
        const bool aborted = error.code() == asio::error::operation_aborted;
        co_return SessionOutcome{{}, Error{aborted ? ErrorCode::cancelled : ErrorCode::internal, aborted ? "aborted" : error.what()}};
    } catch (const std::exception& error) {
        co_return SessionOutcome{{}, Error{ErrorCode::internal, error.what()}};
    }
}

class Run {
  public:
    Run(net::IoPool& pool, SessionRunner runner, RunOptions options)
        : pool_(pool), runner_(std::move(runner)), options_(std::move(options)) {}

    Result<RunResult> execute() {
        PLIMSOLL_TRY(make_folder(options_.folder));
        auto lock = FolderLock::take(options_.folder);
        if (!lock) return fail(lock.error());
        PLIMSOLL_TRY(prepare());
        const auto begun = std::chrono::steady_clock::now();
        start_workers();
        wait(begun);
        return finish();
    }

  private:
    struct Worker {
        explicit Worker(asio::io_context& context) : executor(context.get_executor()) {}
        asio::io_context::executor_type executor;
        asio::cancellation_signal abort;  // of the session it runs; used on its own thread
        double free_since = 0;            // seconds since the epoch
    };

    Result<void> prepare();
    Result<void> take_over(record::EventLogContents log, record::EventLogHeader& header);
    void start_workers();
    void wait(std::chrono::steady_clock::time_point begun);
    Result<RunResult> finish();

    std::optional<std::size_t> next_item();
    asio::awaitable<void> work(std::shared_ptr<Worker> worker);
    asio::awaitable<void> run_item(std::size_t index, Worker& worker);
    asio::awaitable<SessionOutcome> run_with_timeout(std::shared_ptr<event::Session> session, DatasetItem item, Worker& worker);
    Stop stop() const { return options_.stop ? options_.stop->load() : Stop::no; }
    Progress progress(std::chrono::steady_clock::time_point begun) const;

    net::IoPool& pool_;
    const SessionRunner runner_;
    RunOptions options_;
    std::unique_ptr<record::EventLogWriter> log_;
    std::vector<event::StepSink*> sinks_;
    RunResult result_;
    std::vector<std::size_t> todo_;
    std::vector<std::shared_ptr<Worker>> workers_;

    std::atomic<std::size_t> next_{0};
    std::atomic<std::size_t> running_{0};
    std::atomic<std::size_t> done_{0};
    std::atomic<std::size_t> failed_{0};
    std::size_t taken_over_ = 0;
    std::mutex mutex_;
    std::condition_variable worker_ended_;
    std::size_t workers_left_ = 0;
};

Result<void> Run::prepare() {
    const fs::path path = options_.folder / record::kEventLogName;
    record::EventLogHeader header{Random(options_.seed).uuid(), options_.config_hash, dataset_hash(options_.items), options_.seed,
                                  options_.clock()};
    for (DatasetItem& item : options_.items) {
        const bool completed = options_.skip_completed && !item.generated_answer.is_null() && item.generated_answer != json::value("");
        ItemResult& result = result_.items.emplace_back();
        if (completed) result.output = item.generated_answer;
        result.resumed = completed;
        result.item = std::move(item);
    }
    std::error_code ignored;  // what is wrong with the file shows when it is opened
    if (!options_.resume) {
        fs::remove(path, ignored);
    } else if (fs::exists(path, ignored)) {
        auto logged = record::load_event_log(path);
        if (!logged) return fail(logged.error());
        if (auto taken = take_over(std::move(*logged), header); !taken)
            return fail(taken.error().with_context(fmt::format("cannot resume {}", options_.folder.string())));
    }
    for (std::size_t i = 0; i < result_.items.size(); ++i)
        if (!result_.items[i].resumed) todo_.push_back(i);
    taken_over_ = result_.items.size() - todo_.size();
    done_ = taken_over_;
    result_.run_id = header.run_id;
    result_.started = header.started;
    auto log = record::EventLogWriter::open(
        path, header, [](const Error& error) { log_error("the event log failed, no further session starts: {}", error.message); });
    if (!log) return fail(log.error());
    log_ = std::move(*log);
    sinks_ = options_.sinks;
    sinks_.push_back(log_.get());
    return {};
}

// The log's identity replaces `header`, so that the resumed run is the same run.
Result<void> Run::take_over(record::EventLogContents log, record::EventLogHeader& header) {
    if (!log.header && log.sessions.empty()) return {};  // it was killed before it wrote anything
    if (!log.header) return fail(ErrorCode::config, "the log's first line is damaged");
    if (log.header->dataset_hash != header.dataset_hash) return fail(ErrorCode::config, "it is the run of another dataset");
    if (log.header->config_hash != header.config_hash) return fail(ErrorCode::config, "it is the run of another configuration");
    header = *log.header;
    options_.seed = header.seed;
    if (log.corrupt_lines > 0) log_warning("{} damaged lines of the event log were skipped", log.corrupt_lines);
    for (auto& [number, session] : log.sessions) {
        if (number < 0 || static_cast<std::size_t>(number) >= result_.items.size() || !session.end || session.end->error) continue;
        ItemResult& item = result_.items[static_cast<std::size_t>(number)];
        if (session.item != item.item.id) return fail(ErrorCode::config, fmt::format("session {} is of another item", number));
        item.output = std::move(session.end->output);
        item.steps = std::move(session.steps);
        item.intended_start = session.end->intended_start;
        item.start = session.end->start;
        item.end = session.end->end;
        item.usage = compute_usage(item.steps);
        item.resumed = true;
    }
    return {};
}

void Run::start_workers() {
    const std::size_t places = options_.max_concurrency > 0 ? static_cast<std::size_t>(options_.max_concurrency) : todo_.size();
    const std::size_t count = std::min(places, todo_.size());
    workers_left_ = count;
    const double now = options_.clock();
    for (std::size_t i = 0; i < count; ++i) {
        workers_.push_back(std::make_shared<Worker>(pool_.at(i % pool_.size())));
        workers_.back()->free_since = now;
    }
    for (const auto& worker : workers_)
        asio::co_spawn(worker->executor, work(worker), [this](std::exception_ptr error) {
            PLIMSOLL_CHECK(!error, "a worker of the run threw");
            const std::lock_guard lock(mutex_);
            --workers_left_;
            worker_ended_.notify_one();
        });
}

void Run::wait(std::chrono::steady_clock::time_point begun) {
    bool aborted = false;
    std::unique_lock lock(mutex_);
    while (!worker_ended_.wait_for(lock, kProgressInterval, [this] { return workers_left_ == 0; })) {
        lock.unlock();
        if (stop() == Stop::abort_running && !std::exchange(aborted, true))
            for (const auto& worker : workers_)
                asio::post(worker->executor, [worker] { worker->abort.emit(asio::cancellation_type::terminal); });
        if (options_.on_progress) options_.on_progress(progress(begun));
        lock.lock();
    }
    lock.unlock();
    if (options_.on_progress) options_.on_progress(progress(begun));
}

Result<RunResult> Run::finish() {
    if (auto closed = log_->close(); !closed) result_.log_error = closed.error();
    result_.dropped_chunks = result_.log_error ? 0 : log_->dropped();
    for (std::size_t i = next_; i < todo_.size(); ++i) {
        result_.items[todo_[i]].error = Error{ErrorCode::cancelled, "not started"};
        result_.interrupted = true;
    }
    result_.interrupted = result_.interrupted || stop() == Stop::abort_running;
    result_.ended = options_.clock();
    return std::move(result_);
}

std::optional<std::size_t> Run::next_item() {
    if (stop() != Stop::no || !log_->status()) return std::nullopt;
    // A plain fetch_add would count places that are not there.
    std::size_t at = next_;
    while (at < todo_.size() && !next_.compare_exchange_weak(at, at + 1)) {
    }
    if (at >= todo_.size()) return std::nullopt;
    return todo_[at];
}

asio::awaitable<void> Run::work(std::shared_ptr<Worker> worker) {
    while (const auto index = next_item()) co_await run_item(*index, *worker);
}

asio::awaitable<void> Run::run_item(std::size_t index, Worker& worker) {
    ItemResult& result = result_.items[index];
    result.intended_start = worker.free_since;
    event::SessionInfo info;
    info.number = static_cast<std::int64_t>(index);
    info.item_id = to_text(result.item.id);
    auto session = event::Session::make(std::move(info), sinks_, options_.clock, session_seed(options_.seed, index));
    log_->begin(session->info().number, result.item.id);
    ++running_;
    result.start = options_.clock();
    SessionOutcome outcome = co_await run_with_timeout(session, result.item, worker);
    result.end = worker.free_since = options_.clock();
    session->finish(outcome.error ? &*outcome.error : nullptr);
    result.error = std::move(outcome.error);
    if (!result.error) result.output = std::move(outcome.output);
    result.steps = session->take_steps();
    result.usage = compute_usage(result.steps);
    // The error of a failed log stays in the log, where next_item() and finish() ask for it.
    static_cast<void>(
        co_await log_->end(session->info().number, {result.output, result.error, result.intended_start, result.start, result.end}));
    if (result.error) ++failed_;
    --running_;
    ++done_;
}

asio::awaitable<SessionOutcome> Run::run_with_timeout(std::shared_ptr<event::Session> session, DatasetItem item, Worker& worker) {
    struct Watch {
        bool ended = false;
        bool timed_out = false;
    };
    const auto executor = co_await asio::this_coro::executor;
    // The timer's handler may still be queued when the session ends; it must not hit the worker's next session.
    auto watch = std::make_shared<Watch>();
    asio::steady_timer timer(executor);
    if (options_.session_timeout.count() > 0) {
        timer.expires_after(options_.session_timeout);
        timer.async_wait([watch, &worker](const boost::system::error_code& error) {
            if (error || watch->ended) return;
            watch->timed_out = true;
            worker.abort.emit(asio::cancellation_type::terminal);
        });
    }
    auto outcome = co_await asio::co_spawn(executor, run_guarded(runner_, std::move(session), std::move(item)),
                                           asio::bind_cancellation_slot(worker.abort.slot(), asio::use_awaitable));
    watch->ended = true;
    if (watch->timed_out && outcome.error) outcome = {{}, Error{ErrorCode::timeout, "the session ran out of time"}};
    co_return outcome;
}

Progress Run::progress(std::chrono::steady_clock::time_point begun) const {
    return {result_.items.size(),
            done_,
            running_,
            failed_,
            taken_over_,
            std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count()};
}

}  // namespace

Result<RunResult> run_sessions(net::IoPool& pool, SessionRunner runner, RunOptions options) {
    return Run(pool, std::move(runner), std::move(options)).execute();
}

std::size_t RunResult::failed() const {
    return static_cast<std::size_t>(std::ranges::count_if(items, [](const ItemResult& item) { return item.error.has_value(); }));
}

std::string text_hash(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const unsigned char byte : text) hash = (hash ^ byte) * 0x100000001b3;
    return fmt::format("{:016x}", hash);
}

std::string dataset_hash(const std::vector<DatasetItem>& items) {
    std::string text;
    for (const auto& item : items) text += to_compact_json(item.id) + "\n" + to_compact_json(item.question) + "\n";
    return text_hash(text);
}

}  // namespace plimsoll::eval
