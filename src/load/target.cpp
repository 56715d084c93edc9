#include "load/target.h"

#include <fmt/format.h>

#include <boost/asio/awaitable.hpp>

namespace plimsoll::load {
namespace {

class LocalTarget : public Target {
  public:
    explicit LocalTarget(LocalCall call) : call_(std::move(call)) {}

    asio::awaitable<void> call(const CallInput& input, Deadline, Answer& answer) override {
        auto output = co_await call_(input.messages.back().text);
        if (output)
            answer.text = std::move(*output);
        else
            answer.error = output.error();
    }

  private:
    LocalCall call_;
};

}  // namespace

TargetFactory make_local_target(LocalCall call) {
    return [call = std::move(call)](const asio::any_io_executor&) { return std::make_unique<LocalTarget>(call); };
}

}  // namespace plimsoll::load
