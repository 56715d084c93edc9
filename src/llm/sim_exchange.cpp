#include "llm/sim_exchange.h"

#include <fmt/format.h>

#include <algorithm>

#include "net/io_pool.h"

namespace plimsoll::llm {
namespace {

constexpr std::size_t kMaxBatchBytes = 16 << 10;  // of tokens that are due together and share one write
constexpr std::size_t kGarbageBytes = 512;
constexpr std::uint64_t kSeedStep = 0x9e3779b97f4a7c15ull;  // any odd number keeps the requests' seeds apart
constexpr std::string_view kPage = "<!DOCTYPE html><html><head><title>Sign in</title></head><body><form></form></body></html>\n";
constexpr std::string_view kBadLine = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\n\n";

std::string make_garbage(Random& random) {
    std::string bytes;
    while (bytes.size() < kGarbageBytes) bytes += static_cast<char>(random() >> 56);
    return bytes;
}

// Status of a fault that is an error answer; 0 of the others.
int error_status(SimFault fault) {
    switch (fault) {
        case SimFault::http_500: return 500;
        case SimFault::http_503: return 503;
        case SimFault::http_429: return 429;
        default: return 0;
    }
}

bool breaks_off(SimFault fault) { return fault == SimFault::cut || fault == SimFault::hang_mid || fault == SimFault::bad_json; }

}  // namespace

SimExchange::SimExchange(const SimOptions& options, SimStats& stats, SimSlots& slots, net::ServerResponse& response)
    : options_(options), stats_(stats), slots_(slots), response_(response), random_(options.seed + kSeedStep * stats.requests) {
    ++stats_.requests;
    stats_.peak_open = std::max(stats_.peak_open, ++stats_.open);
}

SimExchange::~SimExchange() { --stats_.open; }

Result<void> SimExchange::choose_fault(const net::Headers& headers, const SimRule* rule) {
    fault_ = draw_sim_fault(options_.fault_rates, random_);
    if (rule && rule->fault != SimFault::none) fault_ = rule->fault;
    if (const auto* name = net::find_header(headers, "x-sim-fault")) {
        const auto forced = parse_sim_fault(*name);
        if (!forced) return fail(ErrorCode::invalid_argument, fmt::format("no fault is called {}", *name));
        fault_ = *forced;
    }
    if (fault_ != SimFault::none) ++stats_.faults[static_cast<std::size_t>(fault_)];
    return {};
}

asio::awaitable<void> SimExchange::reject(Error error) {
    ++stats_.rejected;
    const auto sent = co_await response_.send(400, "application/json", sim_error_body(400, error.message));
    if (!sent) ++stats_.clients_gone;
}

asio::awaitable<bool> SimExchange::fails_at_once() {
    Result<void> sent;
    if (const int status = error_status(fault_)) {
        net::Headers extra;
        if (status == 429) extra.emplace_back("Retry-After", "1");
        sent = co_await response_.send(status, "application/json", sim_error_body(status, "simulated fault"), std::move(extra));
    } else if (fault_ == SimFault::garbage) {
        sent = co_await response_.send(200, "application/json", make_garbage(random_));
    } else if (fault_ == SimFault::html) {
        sent = co_await response_.send(200, "text/html", std::string(kPage));
    } else if (fault_ == SimFault::reset) {
        response_.abort(true);
    } else if (fault_ == SimFault::hang) {
        co_await wait_for_leaving();
    } else {
        co_return false;
    }
    if (!sent) ++stats_.clients_gone;
    co_return true;
}

asio::awaitable<bool> SimExchange::enter() {
    slot_ = co_await slots_.enter(response_);
    if (!slot_) ++stats_.clients_gone;
    co_return static_cast<bool>(slot_);
}

asio::awaitable<void> SimExchange::stream(const SimWriter& writer, const SimAnswer& answer, bool include_usage) {
    stats_.prompt_tokens += static_cast<std::uint64_t>(answer.prompt_tokens);
    const bool ends_early = fault_ == SimFault::cut || fault_ == SimFault::hang_mid;
    const std::size_t half = answer.size() / 2;
    const std::size_t end = ends_early ? half : answer.size();
    auto due = first_due();
    std::string batch = writer.role_chunk();
    bool started = false;
    for (std::size_t i = 0; i < end || !started;) {
        if (!co_await wait_until(due)) co_return;
        const auto now = Clock::now();
        const std::size_t first = i;
        while (i < end && due <= now && batch.size() < kMaxBatchBytes) {
            if (i == half && fault_ == SimFault::bad_json) batch += kBadLine;
            batch += writer.token_chunk(answer.token(i++));
            due += vary(options_.itl);
        }
        if (!started) {
            observe_first_token();
            const auto begun = co_await response_.start(200, "text/event-stream", {{"Cache-Control", "no-cache"}});
            if (!begun) {
                ++stats_.clients_gone;
                co_return;
            }
            started = true;
        }
        if (i == end && !ends_early) batch += writer.last_chunks(answer, include_usage);
        if (!co_await write(std::move(batch))) co_return;
        batch.clear();
        stats_.generation_tokens += i - first;
    }
    if (fault_ == SimFault::hang_mid) {
        co_await wait_for_leaving();
        co_return;
    }
    const auto finished = co_await response_.finish();
    if (!finished) {
        ++stats_.clients_gone;
    } else if (fault_ == SimFault::none || fault_ == SimFault::slow_start) {
        ++stats_.completed;
    }
}

asio::awaitable<void> SimExchange::send(const SimAnswer& answer, std::string body) {
    stats_.prompt_tokens += static_cast<std::uint64_t>(answer.prompt_tokens);
    auto due = first_due();
    if (!co_await wait_until(due)) co_return;
    observe_first_token();
    for (std::size_t i = 1; i < answer.size(); ++i) due += vary(options_.itl);
    co_await send_at(due, std::move(body));
    stats_.generation_tokens += answer.size();
}

asio::awaitable<void> SimExchange::send(std::string body) { return send_at(first_due(), std::move(body)); }

asio::awaitable<void> SimExchange::send_at(Clock::time_point due, std::string body) {
    if (!co_await wait_until(due)) co_return;
    if (!breaks_off(fault_)) {
        const auto sent = co_await response_.send(200, "application/json", std::move(body));
        ++(sent ? stats_.completed : stats_.clients_gone);
        co_return;
    }
    body.resize(body.size() / 2);
    if (fault_ == SimFault::bad_json) {
        const auto sent = co_await response_.send(200, "application/json", std::move(body));
        if (!sent) ++stats_.clients_gone;
        co_return;
    }
    const auto begun = co_await response_.start(200, "application/json");
    if (!begun || !co_await write(std::move(body))) co_return;
    if (fault_ == SimFault::hang_mid) co_await wait_for_leaving();
    response_.abort(false);
}

// False when the client left first.
asio::awaitable<bool> SimExchange::wait_until(Clock::time_point point) {
    for (auto now = Clock::now(); now < point; now = Clock::now()) {
        const bool is_long = point - now > kSimLeaveCheck;  // a short wait ends in a write, which notices by itself
        if (is_long && response_.client_gone()) {
            ++stats_.clients_gone;
            co_return false;
        }
        co_await net::sleep_until(std::min<Clock::time_point>(point, now + kSimLeaveCheck));
    }
    co_return true;
}

asio::awaitable<void> SimExchange::wait_for_leaving() {
    while (!response_.client_gone()) co_await net::sleep_for(kSimLeaveCheck);
}

asio::awaitable<bool> SimExchange::write(std::string piece) {
    const auto written = co_await response_.write(std::move(piece));
    if (!written) ++stats_.clients_gone;
    co_return written.has_value();
}

SimExchange::Clock::time_point SimExchange::first_due() {
    const auto extra = fault_ == SimFault::slow_start ? options_.slow_start : std::chrono::milliseconds(0);
    return Clock::now() + extra + vary(options_.ttft);
}

SimExchange::Clock::duration SimExchange::vary(std::chrono::microseconds span) {
    if (options_.jitter == 0) return span;
    const std::chrono::duration<double, std::micro> exact = span;
    return std::chrono::duration_cast<Clock::duration>(exact * random_.uniform(1 - options_.jitter, 1 + options_.jitter));
}

void SimExchange::observe_first_token() { stats_.observe_ttft(std::chrono::duration<double>(Clock::now() - arrival_).count()); }

}  // namespace plimsoll::llm
