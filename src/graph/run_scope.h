// Where a run stands: alone, or inside the task of an outer graph. Internal to the runtime.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "graph/checkpoint.h"
#include "graph/program.h"
#include "graph/run_options.h"
#include "graph/stream_buffer.h"

namespace plimsoll::graph {

struct RunScope {
    RunOptions options;
    std::shared_ptr<CheckpointSaver> saver;                   // null: nothing is kept
    std::string space;                                        // empty: the outermost graph
    std::shared_ptr<const Answers> answers;                   // to questions anywhere below; null: none
    bool resuming = false;                                    // inside: the outer run goes on, so this one does, too
    std::map<std::string, std::string, std::less<>> parents;  // space -> checkpoint of the outer graphs
    std::shared_ptr<StreamBuffer> stream;                     // whose reader sets the pace; null: nobody's
};

// The scope of a graph that is the node which `call` is for.
RunScope make_inner_scope(const NodeCall& call, const Program& inner);

}  // namespace plimsoll::graph
