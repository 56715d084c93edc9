#include "llm/local_server.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "llm/child_process.h"

namespace plimsoll::llm {
namespace {

using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;

constexpr milliseconds kHealthTimeout{1000};
constexpr milliseconds kHealthPause{50};
constexpr milliseconds kStopPatience{1000};  // after each SIGTERM; the first one is lost when a stream is open
constexpr milliseconds kKillPatience{100};
constexpr milliseconds kFirstBackOff{100};
constexpr milliseconds kMaxBackOff{10'000};
constexpr std::chrono::seconds kForgiveAfter{60};
constexpr std::size_t kMaxLogBytes = 64u << 20;    // per server, restarts included; what comes later is dropped and counted
constexpr std::size_t kQuotedLogBytes = 1500;      // end of the log that an error message quotes
constexpr std::size_t kMaxScannedBytes = 1 << 20;  // output before the server has said its port
constexpr std::string_view kHowToGet = "`make models` makes it";

// "… listening on http://127.0.0.1:43121" -> 43121. The text may end in the middle of the line, so the line end is required.
std::optional<int> listening_port(std::string_view text) {
    constexpr std::string_view kMark = "listening on http://";
    const auto mark = text.find(kMark);
    if (mark == text.npos) return std::nullopt;
    auto line = text.substr(mark + kMark.size());
    const auto end = line.find('\n');
    if (end == line.npos) return std::nullopt;
    line = line.substr(0, end);
    const auto colon = line.rfind(':');
    if (colon == line.npos) return std::nullopt;
    int port = 0;
    std::from_chars(line.data() + colon + 1, line.data() + line.size(), port);
    return port > 0 && port < 65536 ? std::optional(port) : std::nullopt;
}

// False also as soon as `wake` is readable.
bool is_healthy(int port, int wake) {
    const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
    if (!curl) return false;
    const auto url = fmt::format("http://127.0.0.1:{}/health", port);
    const curl_write_callback ignore = +[](char*, std::size_t size, std::size_t count, void*) { return size * count; };
    curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(kHealthTimeout.count()));
    curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, ignore);
    curl_xferinfo_callback is_woken = +[](void* descriptor, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
        pollfd watched = {*static_cast<int*>(descriptor), POLLIN, 0};
        return ::poll(&watched, 1, 0) > 0 ? 1 : 0;
    };
    curl_easy_setopt(curl.get(), CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl.get(), CURLOPT_XFERINFOFUNCTION, is_woken);
    curl_easy_setopt(curl.get(), CURLOPT_XFERINFODATA, &wake);
    long status = 0;
    if (curl_easy_perform(curl.get()) != CURLE_OK) return false;
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
    return status == 200;
}

std::string_view last_line(std::string_view text) { return text.substr(text.rfind('\n') + 1); }

Result<void> check(const LocalServerOptions& options) {
    if (::access(options.server.c_str(), X_OK) != 0)
        return fail(ErrorCode::not_found, fmt::format("no model server at {}; {}", options.server.string(), kHowToGet));
    if (::access(options.model_file.c_str(), R_OK) != 0)
        return fail(ErrorCode::not_found, fmt::format("no model at {}; {}", options.model_file.string(), kHowToGet));
    if (options.slots < 1 || options.context_per_slot < 1 || options.threads < 1)
        return fail(ErrorCode::invalid_argument, "slots, context_per_slot and threads of a local model are at least 1");
    return {};
}

// Two threads meet at a barrier inside every layer. At a nicer level than a busy neighbour one of them hardly runs and
// throughput goes to about nothing (measured: 0.3 tokens/s), so a niced program gets one.
int usable_threads(int threads) {
    if (threads == 1 || ::getpriority(PRIO_PROCESS, 0) <= 0) return threads;
    log_warning("this program runs niced: the local model gets one thread instead of {}", threads);
    return 1;
}

std::vector<std::string> command_line(const LocalServerOptions& options) {
    const auto number = [](int value) { return fmt::format("{}", value); };
    const std::string context = number(options.slots * options.context_per_slot);
    const std::string threads = number(usable_threads(options.threads));
    const std::string slots = number(options.slots);
    // clang-format off
    std::vector<std::string> line = {
        options.server.string(), "-m", options.model_file.string(), "--alias", options.alias,
        "--host", "127.0.0.1", "--port", "0", "--no-ui", "-c", context, "-np", slots, "-t", threads, "-tb", threads};
    // clang-format on
    const auto mode = options.embeddings
                          // An embedding model sees a text whole, so a batch must hold as much as the slots do.
                          ? std::vector<std::string>{"--embeddings", "--pooling", "mean", "-b", context, "-ub", context}
                          : std::vector<std::string>{"--metrics"};
    line.insert(line.end(), mode.begin(), mode.end());
    return line;
}

}  // namespace

// One supervisor thread starts every child, because the kernel ties a child's life to the thread that started it.
struct LocalServer::Impl {
    const LocalServerOptions options;
    AppendFile log;
    Descriptor wake{::eventfd(0, EFD_CLOEXEC)};  // readable = stop

    std::size_t log_bytes = 0;  // the supervisor's own, as is `log` once it runs
    std::size_t dropped_bytes = 0;
    std::string log_end;

    mutable std::mutex mutex;
    std::condition_variable settled;  // started, or failed before that
    int port = 0;
    int pid = 0;
    int restarts = 0;
    std::optional<Error> start_error;

    std::thread supervisor;

    Impl(LocalServerOptions server_options, AppendFile log_file) : options(std::move(server_options)), log(std::move(log_file)) {}

    ~Impl() {
        const std::uint64_t one = 1;
        PLIMSOLL_CHECK(::write(wake.get(), &one, sizeof one) == sizeof one, "eventfd");
        if (supervisor.joinable()) supervisor.join();
        if (dropped_bytes > 0) log_warning("local model {}: {} bytes of its log were dropped", options.alias, dropped_bytes);
    }

    void supervise();
    Error run_once();
    Result<void> wait_ready(ChildProcess& child);
    Result<void> watch(ChildProcess& child);
    Error death(const ChildProcess& child) const;
    void stop(ChildProcess& child);
    void kill(ChildProcess& child);
    bool ends_within(ChildProcess& child, milliseconds patience);
    bool back_off(int failures);
    void keep(std::string_view output);
    std::string_view quotable_log() const;
    void set_pid(int value);
    bool is_started() const;
};

void LocalServer::Impl::supervise() {
    for (int failures = 0;;) {
        const auto begin = Steady::now();
        const auto ended = run_once();
        set_pid(0);
        if (ended.code == ErrorCode::cancelled) return;
        if (!is_started()) {
            const std::lock_guard lock(mutex);
            start_error = ended;
            settled.notify_all();
            return;
        }
        if (Steady::now() - begin > kForgiveAfter) failures = 0;
        if (failures >= options.max_restarts) {
            log_error("local model {}: {}; given up after {} restarts", options.alias, ended.message, failures);
            return;
        }
        log_warning("local model {}: {}; starting it again", options.alias, ended.message);
        if (!back_off(failures++)) return;
        const std::lock_guard lock(mutex);
        ++restarts;
    }
}

// From start to end of one child, and why it ended: cancelled (stopped on request), timeout, io, internal (by itself).
Error LocalServer::Impl::run_once() {
    auto child = ChildProcess::spawn(command_line(options));
    if (!child) return child.error();
    set_pid(child->pid());
    log_end.clear();
    auto ended = wait_ready(*child);
    if (ended) ended = watch(*child);
    if (ended.error().code == ErrorCode::cancelled) stop(*child);
    if (ended.error().code == ErrorCode::timeout) kill(*child);
    return ended.error();
}

// Until a server that was ready ends or hangs: never a success. Errors: cancelled, timeout, internal.
Result<void> LocalServer::Impl::watch(ChildProcess& child) {
    auto last_health = Steady::now();
    auto next_look = last_health + options.health_every;
    for (std::string output;; output.clear()) {
        // One millisecond more than what rounding cut off, so that a look that is due is not waited for twice.
        const auto left = std::chrono::duration_cast<milliseconds>(next_look - Steady::now()) + milliseconds(1);
        const auto event = child.wait(wake.get(), std::max(left, milliseconds(0)), output);
        keep(output);
        if (event == ChildProcess::Event::exited) return fail(death(child));
        if (event == ChildProcess::Event::woken) return fail(ErrorCode::cancelled, "stopped");
        if (Steady::now() < next_look) continue;
        if (is_healthy(port, wake.get())) last_health = Steady::now();
        const auto silence = std::chrono::duration_cast<milliseconds>(Steady::now() - last_health);
        if (silence > options.hung_after)
            return fail(ErrorCode::timeout, fmt::format("the local model server has not answered for {} s", silence.count() / 1000));
        next_look = Steady::now() + options.health_every;
    }
}

// The server says its port only after the model is loaded. Errors: cancelled, timeout, internal.
Result<void> LocalServer::Impl::wait_ready(ChildProcess& child) {
    const auto deadline = Deadline::after(options.start_timeout);
    std::string scanned;
    std::optional<int> found;
    for (std::string output;; output.clear()) {
        const auto left = std::chrono::duration_cast<milliseconds>(deadline.left());
        const auto event = child.wait(wake.get(), found ? std::min(left, kHealthPause) : left, output);
        keep(output);
        if (event == ChildProcess::Event::exited) return fail(death(child));
        if (event == ChildProcess::Event::woken) return fail(ErrorCode::cancelled, "stopped");
        if (!found) {
            if (scanned.size() < kMaxScannedBytes) scanned += output;
            found = listening_port(scanned);
        }
        if (found && is_healthy(*found, wake.get())) break;
        if (deadline.passed())
            return fail(ErrorCode::timeout, fmt::format("the local model server was not ready within {} s; its log {} ends: {}",
                                                        options.start_timeout.count(), options.log_file.string(), quotable_log()));
    }
    {
        const std::lock_guard lock(mutex);
        port = *found;
        settled.notify_all();
    }
    if (options.on_change) options.on_change();
    return {};
}

// Who waits for the first start learns what the server said; a restart is a line.
Error LocalServer::Impl::death(const ChildProcess& child) const {
    return {ErrorCode::internal, fmt::format("the local model server ended with {}; its log {} ends: {}", child.ending(),
                                             options.log_file.string(), is_started() ? last_line(quotable_log()) : quotable_log())};
}

bool LocalServer::Impl::ends_within(ChildProcess& child, milliseconds patience) {
    const auto deadline = Deadline::after(patience);
    for (std::string output; !deadline.passed(); output.clear()) {
        // One millisecond more than what rounding cut off, so that the last wait does not spin.
        const auto left = std::chrono::duration_cast<milliseconds>(deadline.left()) + milliseconds(1);
        const auto event = child.wait(-1, left, output);
        keep(output);
        if (event == ChildProcess::Event::exited) return true;
    }
    return false;
}

void LocalServer::Impl::stop(ChildProcess& child) {
    for (int attempt = 0; attempt < 2; ++attempt) {
        child.signal(SIGTERM);
        if (ends_within(child, kStopPatience)) return;
    }
    log_warning("local model {}: did not stop on SIGTERM; killed", options.alias);
    kill(child);
}

void LocalServer::Impl::kill(ChildProcess& child) {
    child.signal(SIGKILL, true);
    ends_within(child, kKillPatience);
}

// False when asked to stop meanwhile.
bool LocalServer::Impl::back_off(int failures) {
    const auto pause = std::min(kMaxBackOff, kFirstBackOff * (1 << std::min(failures, 10)));
    pollfd watched = {wake.get(), POLLIN, 0};
    return ::poll(&watched, 1, static_cast<int>(pause.count())) <= 0;
}

void LocalServer::Impl::keep(std::string_view output) {
    if (output.empty()) return;
    log_end += output;
    if (log_end.size() > kQuotedLogBytes) log_end.erase(0, log_end.size() - kQuotedLogBytes);
    log_bytes += output.size();
    const bool kept = log_bytes <= kMaxLogBytes && log.append(output).has_value();
    if (!kept && dropped_bytes == 0) log_warning("local model {}: its log {} is cut here", options.alias, options.log_file.string());
    if (!kept) dropped_bytes += output.size();
}

std::string_view LocalServer::Impl::quotable_log() const {
    const std::string_view text = log_end;
    return text.substr(0, text.find_last_not_of(" \n") + 1);
}

void LocalServer::Impl::set_pid(int value) {
    {
        const std::lock_guard lock(mutex);
        pid = value;
    }
    if (options.on_change) options.on_change();
}

bool LocalServer::Impl::is_started() const {
    const std::lock_guard lock(mutex);
    return port != 0;
}

LocalServer::LocalServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LocalServer::~LocalServer() = default;

Result<std::unique_ptr<LocalServer>> LocalServer::start(LocalServerOptions options) {
    PLIMSOLL_TRY(check(options));
    auto log = AppendFile::open(options.log_file);
    if (!log) return fail(log.error());
    auto impl = std::make_unique<Impl>(std::move(options), std::move(*log));
    impl->supervisor = std::thread([server = impl.get()] { server->supervise(); });
    {
        std::unique_lock lock(impl->mutex);
        impl->settled.wait(lock, [&] { return impl->port != 0 || impl->start_error; });
        if (impl->start_error) return fail(*impl->start_error);
    }
    return std::unique_ptr<LocalServer>(new LocalServer(std::move(impl)));
}

std::string LocalServer::base_url() const {
    const std::lock_guard lock(impl_->mutex);
    return fmt::format("http://127.0.0.1:{}/v1", impl_->port);
}

std::string LocalServer::metrics_url() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->options.embeddings ? "" : fmt::format("http://127.0.0.1:{}/metrics", impl_->port);
}

int LocalServer::pid() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->pid;
}

int LocalServer::restarts() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->restarts;
}

const LocalServerOptions& LocalServer::options() const { return impl_->options; }

}  // namespace plimsoll::llm
