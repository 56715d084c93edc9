#include "load/http_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include "base/json.h"
#include "net/lean_http_client.h"

namespace plimsoll::load {
namespace {

struct Address {
    std::string scheme, host, port, target;
};

Result<Address> parse_address(const std::string& url) {
    const auto parsed = boost::urls::parse_uri(url);
    if (!parsed || (parsed->scheme() != "http" && parsed->scheme() != "https") || parsed->host().empty())
        return fail(ErrorCode::invalid_argument, fmt::format("\"{}\" is no http or https URL", url));
    if (parsed->has_userinfo()) return fail(ErrorCode::invalid_argument, "the URL holds credentials; give them as a header");
    Address address;
    address.scheme = parsed->scheme();
    address.host = parsed->host_address();
    address.port = parsed->has_port() ? std::string(parsed->port()) : address.scheme == "https" ? "443" : "80";
    address.target = parsed->encoded_resource();
    if (const std::size_t fragment = address.target.find('#'); fragment != std::string::npos) address.target.resize(fragment);
    if (!address.target.starts_with('/')) address.target.insert(0, "/");
    return address;
}

std::string json_text(std::string_view text) { return json::serialize(json::string_view(text.data(), text.size())); }

std::string make_openai_body(const HttpTargetSpec& spec, const CallInput& input) {
    const std::string_view model = spec.any_model && !input.model.empty() ? input.model : std::string_view(spec.model);
    std::string body = fmt::format(R"({{"model":{},)", json_text(model));
    if (spec.kind == HttpKind::chat) {
        body += R"("messages":[)";
        for (const Message& message : input.messages)
            fmt::format_to(std::back_inserter(body), R"({}{{"role":"{}","content":{}}})", &message == input.messages.data() ? "" : ",",
                           message.role, json_text(message.text));
        body += ']';
    } else {
        std::string prompt;
        for (const Message& message : input.messages) prompt += message.text + "\n";
        body += R"("prompt":)" + json_text(prompt);
    }
    const std::int64_t max_tokens = input.max_tokens > 0 ? input.max_tokens : spec.max_tokens;
    if (max_tokens > 0) fmt::format_to(std::back_inserter(body), R"(,"max_tokens":{})", max_tokens);
    if (input.exact_tokens && spec.ignore_eos) body += R"(,"ignore_eos":true)";
    if (spec.stream) body += R"(,"stream":true,"stream_options":{"include_usage":true})";
    return body + "}";
}

class HttpTarget : public Target {
  public:
    HttpTarget(std::shared_ptr<const HttpTargetSpec> spec, std::string head) : spec_(std::move(spec)), head_(std::move(head)) {}

  protected:
    std::unique_ptr<AnswerReader> make_reader(Answer& answer) const {
        if (spec_->kind == HttpKind::described) return make_rule_reader(spec_->rules, answer);
        return make_openai_reader(spec_->stream, answer);
    }
    std::shared_ptr<const HttpTargetSpec> spec_;
    std::string head_;  // of the request, up to the value of Content-Length
};

// Plain http: the cheap path.
class LeanTarget : public HttpTarget {
  public:
    LeanTarget(std::shared_ptr<const HttpTargetSpec> spec, std::string head, const asio::any_io_executor& executor,
               std::vector<asio::ip::tcp::endpoint> endpoints)
        : HttpTarget(std::move(spec), std::move(head)), client_(executor, std::move(endpoints)) {}

    asio::awaitable<void> call(const CallInput& input, Deadline deadline, Answer& answer) override {
        const std::string body = make_body(*spec_, input);
        const std::string request = fmt::format("{}{}\r\n\r\n{}", head_, body.size(), body);
        const auto reader = make_reader(answer);
        const auto response = co_await client_.exchange(
            request, deadline, [&reader](std::string_view bytes, Clock::time_point arrived) { return reader->feed(bytes, arrived); });
        if (response) answer.end = response->received;
        if (!response) {
            answer.error = response.error();
        } else if (response->status / 100 != 2) {
            answer.error = status_error(response->status, response->error_body, response->retry_after_s);
        } else {
            reader->finish();
        }
    }

  private:
    net::LeanHttpClient client_;
};

class CurlTarget : public HttpTarget {
  public:
    using HttpTarget::HttpTarget;

    asio::awaitable<void> call(const CallInput& input, Deadline deadline, Answer& answer) override {
        net::HttpRequest request{.method = spec_->method,
                                 .url = spec_->url,
                                 .headers = spec_->headers,
                                 .body = make_body(*spec_, input),
                                 .deadline = deadline,
                                 .verify_tls = spec_->verify_tls};
        request.headers.emplace_back("Content-Type", "application/json");
        const auto reader = make_reader(answer);
        auto& client = net::HttpClient::of(co_await asio::this_coro::executor);
        const auto response =
            co_await client.stream(std::move(request), [&reader](std::string_view bytes) { return reader->feed(bytes, Clock::now()); });
        if (!response) {
            answer.error = response.error();
        } else if (response->status / 100 != 2) {
            answer.error = status_error(response->status, response->body, response->retry_after_s);
        } else {
            reader->finish();
        }
    }
};

Result<std::string> make_head(const HttpTargetSpec& spec, const Address& address) {
    const bool ipv6 = address.host.contains(':');
    std::string head = fmt::format("{} {} HTTP/1.1\r\nHost: {}{}{}:{}\r\n", spec.method, address.target, ipv6 ? "[" : "", address.host,
                                   ipv6 ? "]" : "", address.port);
    for (const auto& [name, value] : spec.headers) {
        if ((name + value).find_first_of("\r\n") != std::string::npos)
            return fail(ErrorCode::invalid_argument, fmt::format("header {} holds a line break", name));
        fmt::format_to(std::back_inserter(head), "{}: {}\r\n", name, value);
    }
    if (!net::find_header(spec.headers, "Content-Type")) head += "Content-Type: application/json\r\n";
    head += "User-Agent: plimsoll\r\nContent-Length: ";
    return head;
}

// The requests of a described target as templates.
std::vector<RequestTemplate> templates_of(const HttpTargetSpec& spec) {
    if (!spec.requests.empty()) return spec.requests;
    return {{.method = spec.method, .url = spec.url, .headers = {}, .body = spec.body, .rules = spec.rules}};
}

// Whether the requests differ in more than their body.
bool is_sequence(const HttpTargetSpec& spec) {
    if (spec.kind != HttpKind::described) return false;
    return !spec.requests.empty() || !placeholders(spec.url).empty() ||
           std::ranges::any_of(spec.headers, [](const auto& header) { return !placeholders(header.second).empty(); });
}

}  // namespace

Error status_error(int status, std::string_view body, double retry_after_s) {
    constexpr std::size_t kMaxText = 200;
    std::string text(body.substr(0, kMaxText));
    if (const auto parsed = parse_json(body)) {
        const auto* error = find(*parsed, "error");
        const auto* message = find(error ? *error : *parsed, "message");
        if (message) text = to_text(*message).substr(0, kMaxText);
    }
    return {ErrorCode::http_status, fmt::format("HTTP {}: {}", status, text), status, retry_after_s};
}

HttpTargetSpec make_openai_spec(const std::string& base_url, bool chat) {
    HttpTargetSpec spec;
    spec.kind = chat ? HttpKind::chat : HttpKind::completions;
    spec.url = net::join_url(base_url, chat ? "chat/completions" : "completions");
    return spec;
}

HttpTargetSpec make_nat_spec(const std::string& base_url) {
    HttpTargetSpec spec;
    spec.kind = HttpKind::described;
    spec.url = net::join_url(base_url, "generate/full");
    spec.headers = {{"conversation-id", "load-${session}"}};
    spec.body = R"({"input_message":"${input}"})";
    spec.rules = nat_rules();
    return spec;
}

Result<bool> is_loopback(const std::string& url) {
    const auto address = parse_address(url);
    if (!address) return fail(address.error());
    if (address->host == "localhost") return true;
    boost::system::error_code error;
    const auto ip = asio::ip::make_address(address->host, error);
    return !error && ip.is_loopback();
}

Result<bool> is_loopback(const HttpTargetSpec& spec) {
    for (const RequestTemplate& request : templates_of(spec)) {
        std::string url = request.url;
        // A value may stand anywhere, but not change the server.
        for (const std::string& name : placeholders(url)) url.replace(url.find("${"), name.size() + 3, "x");
        const auto local = is_loopback(url);
        if (!local || !*local) return local;
    }
    return true;
}

std::string shown_target(const HttpTargetSpec& spec) {
    std::string text;
    for (const RequestTemplate& request : templates_of(spec))
        text +=
            fmt::format("{}{} {}", text.empty() ? "" : ", then ", request.method, request.url.substr(0, request.url.find_first_of("?#")));
    return text;
}

std::string make_body(const HttpTargetSpec& spec, const CallInput& input) {
    if (spec.kind != HttpKind::described) return make_openai_body(spec, input);
    return fill_body(spec.body, input, {});
}

Result<TargetFactory> make_http_target(HttpTargetSpec spec) {
    if (is_sequence(spec)) return make_sequence_target(templates_of(spec), spec.headers, spec.verify_tls);
    const auto address = parse_address(spec.url);
    if (!address) return fail(address.error());
    auto head = make_head(spec, *address);
    if (!head) return fail(head.error());
    const auto shared = std::make_shared<const HttpTargetSpec>(std::move(spec));
    if (address->scheme == "https")
        return TargetFactory([shared, head = *head](const asio::any_io_executor&) { return std::make_unique<CurlTarget>(shared, head); });
    const auto endpoints = net::LeanHttpClient::resolve(address->host, address->port);
    if (!endpoints) return fail(endpoints.error());
    return TargetFactory([shared, head = *head, endpoints = *endpoints](const asio::any_io_executor& executor) {
        return std::make_unique<LeanTarget>(shared, head, executor, endpoints);
    });
}

}  // namespace plimsoll::load
