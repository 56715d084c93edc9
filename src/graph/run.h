// One run of a program, from the input to the last step. StateGraph and CompiledGraph put types on it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>

#include "base/error.h"
#include "event/session.h"
#include "graph/program.h"
#include "graph/run_options.h"

namespace plimsoll::graph {

struct Outcome {
    std::optional<UpdateData> for_parent;  // a task called go_to_parent: the run ended there, the state is not final
};

// `state` is the program's state type, holds the input, is changed step by step and must outlive the run. After an error
// it holds the state before the failing step or something between. Errors: as CompiledGraph::invoke.
asio::awaitable<Result<Outcome>> run_program(std::shared_ptr<const Program> program, event::Context context, void* state,
                                             RunOptions options);

}  // namespace plimsoll::graph
