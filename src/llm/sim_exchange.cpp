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

SimExchange::SimExchange(const SimOptions& options, SimStats& stats, SimScheduler& scheduler, net::ServerResponse& response)
    : options_(options), stats_(stats), response_(response), random_(options.seed + kSeedStep * stats.requests), ticket_(scheduler) {
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
    const int status = error.code == ErrorCode::limit ? 503 : 400;
    const auto sent = co_await response_.send(status, "application/json", sim_error_body(status, error.message));
    if (!sent) ++stats_.clients_gone;
}

asio::awaitable<bool> SimExchange::fails_at_once() {
    Result<void> sent;
    if (const int status = error_status(fault_)) {
        net::Headers extra;
        if (status == 429) extra.emplace_back("Retry-After", fmt::format("{}", options_.retry_after.count()));
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

asio::awaitable<bool> SimExchange::submit(int prompt_tokens, std::size_t output_tokens, std::uint64_t session) {
    SimJob job{.prompt_tokens = std::max(1, prompt_tokens),
               .output_tokens = static_cast<int>(std::max<std::size_t>(1, output_tokens)),
               .session = session,
               .holds = fault_ == SimFault::hang_mid,
               .random = random_};
    if (fault_ == SimFault::slow_start) job.delay = options_.slow_start;
    const auto submitted = ticket_.submit(job);
    if (!submitted) {
        co_await reject(submitted.error());
        co_return false;
    }
    stats_.prompt_tokens += static_cast<std::uint64_t>(prompt_tokens);
    co_return true;
}

asio::awaitable<void> SimExchange::stream(const SimWriter& writer, const SimAnswer& answer, bool include_usage, std::uint64_t session) {
    const bool ends_early = fault_ == SimFault::cut || fault_ == SimFault::hang_mid;
    const std::size_t half = answer.size() / 2;
    const std::size_t end = ends_early ? half : answer.size();
    if (!co_await submit(answer.prompt_tokens, end, session)) co_return;
    bool started = options_.headers_at_start;
    if (started && !co_await start_stream()) co_return;
    std::string batch = writer.role_chunk();
    std::size_t i = 0;
    do {
        if (!co_await wait_for_tokens(i + 1)) co_return;
        const std::size_t first = i;
        const std::size_t ready = std::min(end, static_cast<std::size_t>(ticket_.tokens()));
        while (i < ready && batch.size() < kMaxBatchBytes) {
            if (i == half && fault_ == SimFault::bad_json) batch += kBadLine;
            batch += writer.token_chunk(answer.token(i++));
        }
        if (!started && !co_await start_stream()) co_return;
        started = true;
        if (i == end && !ends_early) batch += writer.last_chunks(answer, include_usage);
        if (!co_await write(std::move(batch))) co_return;
        batch.clear();
        stats_.generation_tokens += i - first;
    } while (i < end);
    if (fault_ == SimFault::hang_mid) {
        co_await wait_for_leaving();
        co_return;
    }
    const auto finished = co_await response_.finish();
    if (!finished) {
        ++stats_.clients_gone;
    } else if (fault_ == SimFault::none || fault_ == SimFault::slow_start) {
        complete(answer.finish_reason);
    }
}

asio::awaitable<bool> SimExchange::start_stream() {
    bool begun = co_await ticket_.wait_for_start(response_);
    if (begun) {
        const auto sent = co_await response_.start(200, "text/event-stream", {{"Cache-Control", "no-cache"}});
        begun = sent.has_value();
    }
    if (!begun) ++stats_.clients_gone;
    co_return begun;
}

asio::awaitable<void> SimExchange::send(const SimAnswer& answer, std::string body, std::uint64_t session) {
    if (!co_await submit(answer.prompt_tokens, answer.size(), session)) co_return;
    if (!co_await wait_for_tokens(answer.size())) co_return;
    if (co_await send_whole(std::move(body))) complete(answer.finish_reason);
    stats_.generation_tokens += answer.size();
}

asio::awaitable<void> SimExchange::send(int prompt_tokens, std::string body, std::uint64_t session) {
    if (!co_await submit(prompt_tokens, 1, session)) co_return;
    if (!co_await wait_for_tokens(1)) co_return;
    if (co_await send_whole(std::move(body))) complete("stop");
}

// True when all of it was sent.
asio::awaitable<bool> SimExchange::send_whole(std::string body) {
    const bool broken = breaks_off(fault_);
    if (broken) body.resize(body.size() / 2);
    if (!broken || fault_ == SimFault::bad_json) {
        const auto sent = co_await response_.send(200, "application/json", std::move(body));
        if (!sent) ++stats_.clients_gone;
        co_return sent && !broken;
    }
    const auto begun = co_await response_.start(200, "application/json");
    if (!begun || !co_await write(std::move(body))) co_return false;
    if (fault_ == SimFault::hang_mid) co_await wait_for_leaving();
    response_.abort(false);
    co_return false;
}

// False when the client left first.
asio::awaitable<bool> SimExchange::wait_for_tokens(std::size_t count) {
    const bool present = co_await ticket_.wait_for_tokens(static_cast<int>(std::max<std::size_t>(1, count)), response_);
    if (!present) ++stats_.clients_gone;
    co_return present;
}

asio::awaitable<void> SimExchange::wait_for_leaving() {
    while (!response_.client_gone()) co_await net::sleep_for(kSimLeaveCheck);
}

asio::awaitable<bool> SimExchange::write(std::string piece) {
    const auto written = co_await response_.write(std::move(piece));
    if (!written) ++stats_.clients_gone;
    co_return written.has_value();
}

void SimExchange::complete(std::string_view finish_reason) {
    ++stats_.completed;
    ++(finish_reason == "length" ? stats_.finished_by_length : stats_.finished_by_stop);
}

}  // namespace plimsoll::llm
