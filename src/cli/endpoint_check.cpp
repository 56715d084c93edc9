#include "cli/endpoint_check.h"

#include <fmt/format.h>

#include "base/log.h"

namespace plimsoll::cli {
namespace {

namespace asio = boost::asio;

asio::awaitable<void> ask(llm::ChatModel& model, Result<llm::ChatResult>& answer) {
    constexpr std::chrono::seconds kPatience{30};
    event::Context context;
    context.deadline = Deadline::after(kPatience);
    llm::ChatRequest request;
    request.messages = {{"user", "test"}};
    request.max_tokens = 1;
    answer = co_await model.chat(context, std::move(request), {});
}

bool is_unknown_model(const Error& error) {
    constexpr int kNotFound = 404;
    return error.http_status == kNotFound || (error.message.contains("model") && error.message.contains("not found"));
}

}  // namespace

Result<void> check_llm_endpoints(functions::Builder& builder) {
    for (const auto& [name, component] : builder.config().llms) {
        const auto model = builder.llm(name);
        if (!model) return fail(model.error());
        Result<llm::ChatResult> answer = fail(ErrorCode::internal, "not asked");
        builder.pool().run([&] { return ask(**model, answer); });
        if (answer) continue;
        if (is_unknown_model(answer.error())) return fail(ErrorCode::not_found, answer.error().message);
        log_warning("validate_llm_endpoints: {}", answer.error().message);
    }
    return {};
}

}  // namespace plimsoll::cli
