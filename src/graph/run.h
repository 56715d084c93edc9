// One run of a program, from the input or a checkpoint to the last step. StateGraph and CompiledGraph put types on it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "event/session.h"
#include "graph/program.h"
#include "graph/run_options.h"
#include "graph/run_scope.h"

namespace plimsoll::graph {

struct RunInput {
    enum class Kind : std::uint8_t {
        state,   // the state that run_program() is given, which is then not given a RunInput
        update,  // what `update` writes, on a new or known thread
        resume,  // goes on where the thread stopped; `update` is written first
    };
    Kind kind = Kind::state;
    UpdateData update;
    Resume resume;
};

enum class Ending : std::uint8_t {
    finished,
    interrupted,  // by interrupt(), or before or after a node as CompileOptions ask
    drained,      // RunOptions::should_drain
};

struct Outcome {
    Ending ending = Ending::finished;
    std::vector<Interrupt> interrupts;       // questions that wait; none when the options stopped the run
    std::string checkpoint;                  // the latest one's id; empty without a saver
    std::unique_ptr<UpdateData> for_parent;  // a task called go_to_parent: the run ended there, the state is not final
};

// `state` is the program's state type, is changed step by step and must outlive the run. At the end it holds the result; of an
// interrupted run it shows what the step's finished tasks wrote, too. After an error it holds the state before the failing
// step or something between. Errors: as CompiledGraph::run.
// `input` null: the state itself is the input. All other arguments must outlive the run.
asio::awaitable<Result<Outcome>> run_program(const Program& program, const event::Context& context, void* state,
                                             std::unique_ptr<RunInput> input, const RunScope& scope);

}  // namespace plimsoll::graph
