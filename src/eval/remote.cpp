#include "eval/remote.h"

#include <fmt/format.h>

#include <boost/asio/this_coro.hpp>

#include "base/log.h"
#include "eval/remote_answer.h"
#include "net/http_client.h"

namespace plimsoll::eval {
namespace {

// What a server says with an error status: NAT's {"message"} or FastAPI's {"detail"}, else the body's beginning.
std::string error_text(const net::HttpResponse& response) {
    constexpr std::size_t kMaxText = 500;
    std::string text = response.body;
    if (const auto body = parse_json(response.body)) {
        if (const auto message = get_string(*body, "message"))
            text = *message;
        else if (const auto* detail = find(*body, "detail"))
            text = to_text(*detail);
    }
    return fmt::format("HTTP {}: {}", response.status, text.substr(0, kMaxText));
}

asio::awaitable<SessionOutcome> ask_once(const RemoteOptions& options, std::shared_ptr<event::Session> session, std::string body) {
    net::HttpRequest request;
    request.method = "POST";
    request.url = net::join_url(options.endpoint, "generate/full");
    request.headers = {{"Content-Type", "application/json"}};
    request.body = std::move(body);
    request.deadline = Deadline::after(options.timeout);
    RemoteAnswer answer([&session](event::Step step) { session->emit(std::move(step)); });
    Result<void> read;
    auto& client = net::HttpClient::of(co_await asio::this_coro::executor);
    const auto response = co_await client.stream(std::move(request), [&](std::string_view bytes) {
        read = answer.feed(bytes);
        return read.has_value();
    });
    if (!response) co_return SessionOutcome{{}, response.error()};
    if (response->status >= 400)
        co_return SessionOutcome{{}, Error{ErrorCode::http_status, error_text(*response), response->status, response->retry_after_s}};
    if (!read) co_return SessionOutcome{{}, read.error()};
    SessionOutcome outcome = answer.finish();
    if (answer.skipped() > 0)
        log_warning("item {}: {} damaged lines of the answer were skipped", session->info().item_id, answer.skipped());
    co_return outcome;
}

asio::awaitable<SessionOutcome> ask(std::shared_ptr<const RemoteOptions> options, std::shared_ptr<event::Session> session,
                                    DatasetItem item) {
    const std::string body = to_compact_json({{"input_message", item.question}});
    for (int attempt = 1;; ++attempt) {
        SessionOutcome outcome = co_await ask_once(*options, session, body);
        // Other failures may come after steps of this session, which a second try would record again.
        const bool again =
            outcome.error && outcome.error->code == ErrorCode::http_status && options->retry.statuses.contains(outcome.error->http_status);
        const auto delay = again ? net::next_delay(options->retry, *outcome.error, attempt, session->random()) : std::nullopt;
        if (!delay) co_return outcome;
        co_await net::sleep_for(*delay);
    }
}

asio::awaitable<void> ask_health(std::string endpoint, Result<net::HttpResponse>& answer) {
    constexpr std::chrono::seconds kPatience{5};
    net::HttpRequest request;
    request.url = net::join_url(endpoint, "health");
    request.deadline = Deadline::after(kPatience);
    answer = co_await net::HttpClient::of(co_await asio::this_coro::executor).send(std::move(request));
}

}  // namespace

Result<void> find_endpoint(net::IoPool& pool, const std::string& endpoint) {
    Result<net::HttpResponse> answer = fail(ErrorCode::internal, "not asked");
    pool.run([&] { return ask_health(endpoint, answer); });
    if (answer || (answer.error().code != ErrorCode::connect && answer.error().code != ErrorCode::invalid_argument)) return {};
    return fail(answer.error().with_context("--endpoint"));
}

SessionRunner make_remote_runner(RemoteOptions options) {
    return [shared = std::make_shared<const RemoteOptions>(std::move(options))](std::shared_ptr<event::Session> session, DatasetItem item) {
        return ask(shared, std::move(session), std::move(item));
    };
}

}  // namespace plimsoll::eval
