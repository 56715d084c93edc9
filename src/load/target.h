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
#include "event/step.h"
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

// "load-12": what the requests of one session have in common for servers that want a conversation's name.
std::string session_id(const CallInput& input);

class Target {
  public:
    virtual ~Target() = default;
    // Fills `answer`; failures are in answer.error. Throws operation_aborted when cancelled. `input` and `answer` outlive the call.
    virtual asio::awaitable<void> call(const CallInput& input, Deadline deadline, Answer& answer) = 0;
};

using TargetFactory = std::function<std::unique_ptr<Target>(const asio::any_io_executor& executor)>;

// Something that runs in this process, such as a workflow, as Target::call() does: it fills the answer, on the io thread. It may take the
// deadline into account; when that has passed it is cancelled.
using LocalCall = std::function<asio::awaitable<void>(const CallInput& input, Deadline deadline, Answer& answer)>;
TargetFactory make_local_target(LocalCall call);

// What an agent that runs in this process recorded of itself, into `answer`: the first token of any of its model calls, and the tokens of
// all of them. `began` is the time on the steps' clock at answer.start; with `keep` the steps stay there for the trace.
void take_steps(std::vector<event::Step> steps, double began, bool keep, Answer& answer);

}  // namespace plimsoll::load
