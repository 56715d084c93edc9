#include "load/target.h"

#include <fmt/format.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/multiple_exceptions.hpp>
#include <boost/asio/this_coro.hpp>

#include "net/io_pool.h"

namespace plimsoll::load {
namespace {

class LocalTarget : public Target {
  public:
    explicit LocalTarget(LocalCall call) : call_(std::move(call)) {}

    asio::awaitable<void> call(const CallInput& input, Deadline deadline, Answer& answer) override {
        using namespace asio::experimental::awaitable_operators;
        if (!deadline.is_set()) co_return co_await call_(input, deadline, answer);
        bool timed_out = false;
        try {
            timed_out = (co_await (call_(input, deadline, answer) || net::sleep_until(*deadline.point()))).index() == 1;
        } catch (const asio::multiple_exceptions&) {
            throw boost::system::system_error(asio::error::operation_aborted);  // both, by whoever waits for the answer
        }
        // A call that is cancelled may make an error of it, which is then not what happened.
        if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none)
            throw boost::system::system_error(asio::error::operation_aborted);
        if (timed_out) answer.error = Error{ErrorCode::timeout, "timed out"};
    }

  private:
    LocalCall call_;
};

}  // namespace

std::string session_id(const CallInput& input) { return fmt::format("load-{}", input.session); }

void take_steps(std::vector<event::Step> steps, double began, bool keep, Answer& answer) {
    event::TokenUsage usage;
    std::optional<double> first;
    for (const event::Step& step : steps) {
        if (step.payload.event_type.category != event::Category::llm) continue;
        if (step.payload.event_type.phase == event::Phase::chunk) {
            ++answer.pieces;
            if (!first) first = step.payload.event_timestamp;
        } else if (step.payload.event_type.phase == event::Phase::end && step.payload.usage_info) {
            usage += step.payload.usage_info->token_usage;
        }
    }
    if (first) answer.first = answer.start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(*first - began));
    if (usage.prompt_tokens > 0) answer.prompt_tokens = usage.prompt_tokens;
    if (usage.completion_tokens > 0) answer.completion_tokens = usage.completion_tokens;
    if (keep) answer.steps = std::move(steps);
}

TargetFactory make_local_target(LocalCall call) {
    return [call = std::move(call)](const asio::any_io_executor&) { return std::make_unique<LocalTarget>(call); };
}

}  // namespace plimsoll::load
