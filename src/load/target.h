// What a load run calls. A Target lives on one io thread; a factory makes one for each.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "load/answer.h"

namespace plimsoll::load {

namespace asio = boost::asio;

struct Message {
    std::string role;  // "system", "user", "assistant"
    std::string text;
};

struct CallInput {
    std::vector<Message> messages;  // the last one is what is asked now
    std::int64_t max_tokens = 0;    // 0: as the target says
    bool exact_tokens = false;      // max_tokens are wanted, no fewer
    std::string_view model;         // empty: the target's
    std::uint64_t session = 0;      // the session's number
};

class Target {
  public:
    virtual ~Target() = default;
    // Fills `answer`; failures are in answer.error. Throws operation_aborted when cancelled. `input` and `answer` outlive the call.
    virtual asio::awaitable<void> call(const CallInput& input, Deadline deadline, Answer& answer) = 0;
};

using TargetFactory = std::function<std::unique_ptr<Target>(const asio::any_io_executor& executor)>;

// Something that runs in this process, such as a workflow: input to answer. It is called on the io thread.
using LocalCall = std::function<asio::awaitable<Result<std::string>>(std::string input)>;
TargetFactory make_local_target(LocalCall call);

}  // namespace plimsoll::load
