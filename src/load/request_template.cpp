#include "load/request_template.h"

#include <fmt/format.h>

#include <boost/asio/this_coro.hpp>
#include <optional>

#include "load/http_target.h"

namespace plimsoll::load {
namespace {

constexpr std::string_view kOpen = "${";

std::string json_text(std::string_view text) { return json::serialize(json::string_view(text.data(), text.size())); }

std::optional<json::value> value_of(std::string_view name, const CallInput& input, const Captured& captured) {
    if (name == "input") return json::value(input.messages.back().text);
    if (name == "session") return json::value(fmt::format("{}", input.session));
    if (name == "messages") {
        json::array messages;
        for (const Message& message : input.messages) messages.push_back({{"role", message.role}, {"content", message.text}});
        return messages;
    }
    const auto found = captured.find(name);
    return found == captured.end() ? std::nullopt : std::optional(found->second);
}

// Calls place(name, begin, end) for each placeholder, from its "$" until after its "}".
template <class Place>
void for_each_placeholder(std::string_view text, Place place) {
    for (std::size_t at = 0; (at = text.find(kOpen, at)) != std::string_view::npos;) {
        const std::size_t close = text.find('}', at);
        if (close == std::string_view::npos) return;
        place(text.substr(at + kOpen.size(), close - at - kOpen.size()), at, close + 1);
        at = close + 1;
    }
}

// Calls write(value, before, out, done) for each placeholder that has a value: `before` is the text since the last one, already in `out`,
// and `done` is where the text goes on.
template <class Write>
std::string fill(std::string_view text, const CallInput& input, const Captured& captured, Write write) {
    std::string out;
    std::size_t done = 0;
    for_each_placeholder(text, [&](std::string_view name, std::size_t begin, std::size_t end) {
        const auto value = value_of(name, input, captured);
        if (!value) return;
        const std::string_view before = text.substr(done, begin - done);
        out += before;
        done = end;
        write(*value, before, out, done);
    });
    return out += text.substr(done);
}

std::string percent_encoded(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("-._~").contains(c);
        if (plain)
            out += c;
        else
            fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

class SequenceTarget : public Target {
  public:
    SequenceTarget(std::shared_ptr<const std::vector<RequestTemplate>> requests, bool verify_tls)
        : requests_(std::move(requests)), verify_tls_(verify_tls) {}

    asio::awaitable<void> call(const CallInput& input, Deadline deadline, Answer& answer) override {
        Captured captured;
        auto& client = net::HttpClient::of(co_await asio::this_coro::executor);
        for (const RequestTemplate& request : *requests_) {
            const auto reader = make_rule_reader(request.rules, answer, &captured);
            const auto response = co_await client.stream(make_request(request, input, captured, deadline),
                                                         [&reader](std::string_view bytes) { return reader->feed(bytes, Clock::now()); });
            if (!response) {
                answer.fail_with(response.error().code, response.error().message);
            } else if (response->status / 100 != 2) {
                answer.error = status_error(response->status, response->body, response->retry_after_s);
            } else {
                for (const CaptureRule& rule : request.rules.captures)
                    if (const auto* header = rule.header.empty() ? nullptr : net::find_header(response->headers, rule.header))
                        captured[rule.name] = json::value(*header);
                reader->finish();
            }
            if (answer.error) co_return;
        }
    }

  private:
    net::HttpRequest make_request(const RequestTemplate& request, const CallInput& input, const Captured& captured,
                                  Deadline deadline) const {
        net::HttpRequest out{.method = request.method,
                             .url = fill_url(request.url, input, captured),
                             .headers = {},
                             .body = fill_body(request.body, input, captured),
                             .deadline = deadline,
                             .verify_tls = verify_tls_};
        for (const auto& [name, value] : request.headers) out.headers.emplace_back(name, fill_header(value, input, captured));
        if (!out.body.empty() && !net::find_header(out.headers, "Content-Type"))
            out.headers.emplace_back("Content-Type", "application/json");
        return out;
    }

    std::shared_ptr<const std::vector<RequestTemplate>> requests_;
    bool verify_tls_;
};

}  // namespace

std::vector<std::string> placeholders(std::string_view text) {
    std::vector<std::string> out;
    for_each_placeholder(text, [&](std::string_view name, std::size_t, std::size_t) { out.emplace_back(name); });
    return out;
}

std::string fill_body(std::string_view text, const CallInput& input, const Captured& captured) {
    return fill(text, input, captured, [text](const json::value& value, std::string_view before, std::string& out, std::size_t& done) {
        const bool opens = before.ends_with('"') && !before.ends_with("\\\"");
        if (opens && done < text.size() && text[done] == '"') {
            out.pop_back();
            ++done;
            out += json::serialize(value);
            return;
        }
        const std::string escaped = json_text(to_text(value));
        out.append(escaped, 1, escaped.size() - 2);
    });
}

std::string fill_header(std::string_view text, const CallInput& input, const Captured& captured) {
    return fill(text, input, captured,
                [](const json::value& value, std::string_view, std::string& out, std::size_t&) { out += to_text(value); });
}

std::string fill_url(std::string_view text, const CallInput& input, const Captured& captured) {
    return fill(text, input, captured,
                [](const json::value& value, std::string_view, std::string& out, std::size_t&) { out += percent_encoded(to_text(value)); });
}

TargetFactory make_sequence_target(std::vector<RequestTemplate> requests, net::Headers headers, bool verify_tls) {
    for (RequestTemplate& request : requests) request.headers.insert(request.headers.end(), headers.begin(), headers.end());
    const auto shared = std::make_shared<const std::vector<RequestTemplate>>(std::move(requests));
    return [shared, verify_tls](const asio::any_io_executor&) { return std::make_unique<SequenceTarget>(shared, verify_tls); };
}

}  // namespace plimsoll::load
