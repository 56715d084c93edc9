// The body of NAT's POST /generate/full as it arrives: steps, pieces of the result, or an error.
//
//   RemoteAnswer answer(on_step);
//   answer.feed(bytes); …; SessionOutcome outcome = answer.finish();
//
// Lines it understands: `intermediate_data: {id, parent_id, type, name, payload}` with the step's payload as JSON text, `data: {"value":
// …}`, and a bare `{"code", "message", "details"}`, which is how NAT's server says that the workflow failed after it had answered 200.
// Other lines are left alone; damaged ones are counted. The server sends no function ancestry, but it follows from the parents: every
// function span without a framework opens a function, as in a local NAT run.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "eval/runner.h"
#include "event/step.h"
#include "net/sse.h"

namespace plimsoll::eval {

class RemoteAnswer {
  public:
    using OnStep = std::function<void(event::Step)>;

    explicit RemoteAnswer(OnStep on_step);
    RemoteAnswer(const RemoteAnswer&) = delete;
    RemoteAnswer& operator=(const RemoteAnswer&) = delete;

    // Errors: limit for a line without end.
    Result<void> feed(std::string_view bytes) { return parser_.feed(bytes); }

    // The values joined as text (a single one as it is); `internal` when the server said that the workflow failed, `bad_response`
    // when there is neither a value nor an error.
    SessionOutcome finish();

    std::size_t skipped() const { return skipped_; }  // damaged lines

  private:
    void take_line(std::string_view field, std::string_view value);
    bool take_value(std::string_view text);
    bool take_step(std::string_view text);
    bool take_error(const json::value& value);
    event::InvocationNode function_of(const event::Step& step);

    OnStep on_step_;
    net::SseParser parser_;
    std::vector<json::value> values_;
    std::optional<Error> error_;
    std::unordered_map<std::string, event::InvocationNode> functions_;  // the function inside each span seen
    std::size_t skipped_ = 0;
};

}  // namespace plimsoll::eval
