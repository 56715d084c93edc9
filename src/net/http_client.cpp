#include "net/http_client.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/string.hpp>
#include <unordered_set>

#include "net/curl_loop.h"
#include "net/transfer.h"

namespace plimsoll::net {

struct HttpClient::Impl {
    explicit Impl(const asio::any_io_executor& own_executor)
        : executor(own_executor), loop(own_executor, [this](CURL* easy, CURLcode code) {
              transfers.erase(easy);
              Transfer::of(easy).finish(code);
          }) {}

    void close() {
        for (CURL* const easy : transfers) loop.remove(easy);
        transfers.clear();
        closed = true;
        loop.close();
    }

    // Takes the transfer out of the loop however its coroutine ends, by cancellation or with the io_context.
    struct Registration {
        Impl& impl;
        CURL* easy;
        ~Registration() {
            if (!impl.closed && impl.transfers.erase(easy) != 0) impl.loop.remove(easy);
        }
    };

    asio::awaitable<Result<HttpResponse>> exchange(HttpRequest request, Transfer::OnData on_data);

    asio::any_io_executor executor;
    CurlEnvironment environment = CurlEnvironment::read();
    std::unordered_set<CURL*> transfers;
    bool closed = false;
    CurlLoop loop;
};

asio::awaitable<Result<HttpResponse>> HttpClient::Impl::exchange(HttpRequest request, Transfer::OnData on_data) {
    const asio::any_io_executor caller = co_await asio::this_coro::executor;
    PLIMSOLL_CHECK(&asio::query(caller, asio::execution::context) == &asio::query(executor, asio::execution::context),
                   "a client is used on its own io_context only");
    Transfer transfer(executor, std::move(request), std::move(on_data));
    if (auto ready = transfer.prepare(environment); !ready) co_return fail(ready.error());
    loop.prepare(transfer.easy());
    if (const CURLMcode code = loop.add(transfer.easy()); code != CURLM_OK) co_return fail(ErrorCode::internal, curl_multi_strerror(code));
    transfers.insert(transfer.easy());
    const Registration registration{*this, transfer.easy()};
    // Wakes through finish() or because the coroutine is cancelled; both abort the wait.
    co_await transfer.ended().async_wait(asio::as_tuple(asio::use_awaitable));
    if (!transfer.finished()) throw boost::system::system_error(asio::error::operation_aborted);
    co_return transfer.take_result();
}

// Ties the client to its io_context: made with the first use, shut down when the context is destroyed.
class HttpClientService : public asio::execution_context::service {
  public:
    using key_type = HttpClientService;
    static inline asio::execution_context::id id;

    explicit HttpClientService(asio::execution_context& context) : asio::execution_context::service(context) {}

    HttpClient& client(const asio::any_io_executor& executor) {
        if (!client_) client_.reset(new HttpClient(executor));
        return *client_;
    }

  private:
    // Coroutines still waiting are destroyed after this, with their timers; they find the client closed.
    void shutdown() override {
        if (client_) client_->impl_->close();
    }

    std::unique_ptr<HttpClient> client_;
};

HttpClient& HttpClient::of(const asio::any_io_executor& executor) {
    asio::execution_context& context = asio::query(executor, asio::execution::context);
    return asio::use_service<HttpClientService>(context).client(executor);
}

HttpClient::HttpClient(asio::any_io_executor executor) : impl_(std::make_unique<Impl>(executor)) {}

HttpClient::~HttpClient() = default;

asio::awaitable<Result<HttpResponse>> HttpClient::send(HttpRequest request) { return impl_->exchange(std::move(request), nullptr); }

asio::awaitable<Result<HttpResponse>> HttpClient::stream(HttpRequest request, std::function<bool(std::string_view)> on_data) {
    return impl_->exchange(std::move(request), std::move(on_data));
}

std::size_t HttpClient::open_transfers() const { return impl_->transfers.size(); }

const std::string* find_header(const Headers& headers, std::string_view name) {
    for (const auto& [key, value] : headers)
        if (boost::beast::iequals(key, name)) return &value;
    return nullptr;
}

std::string join_url(std::string_view base, std::string_view path) {
    while (base.ends_with('/')) base.remove_suffix(1);
    while (path.starts_with('/')) path.remove_prefix(1);
    return std::string(base) + "/" + std::string(path);
}

}  // namespace plimsoll::net
