#include "graph/run_options.h"

#include "graph/program.h"

namespace plimsoll::graph {

std::vector<std::string_view> StreamEvent::channels() const {
    std::vector<std::string_view> names;
    names.reserve(writes.size());
    for (const Write& write : writes) names.push_back(program->channels[write.channel]->name());
    return names;
}

}  // namespace plimsoll::graph
