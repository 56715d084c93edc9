// The writes of one step (or of one task), gathered by channel in the order they were added, then applied to a state.
#pragma once

#include <vector>

#include "base/error.h"
#include "graph/program.h"

namespace plimsoll::graph {

class WriteGroups {
  public:
    explicit WriteGroups(const Program& program) : program_(program), groups_(program.channels.size()) {}

    // `write` must stay in place until apply(), which moves its value out.
    void add(Write& write) { groups_[write.channel].push_back(&write); }
    bool has(std::size_t channel) const { return !groups_[channel].empty(); }

    // Errors: invalid_argument from a channel that got too many writes; the state is then between two steps.
    Result<void> apply(void* state) const {
        for (std::size_t i = 0; i < groups_.size(); ++i)
            if (has(i)) PLIMSOLL_TRY(program_.channels[i]->update(state, groups_[i]));
        return {};
    }

    void clear() {
        for (auto& group : groups_) group.clear();
    }

  private:
    const Program& program_;
    std::vector<std::vector<Write*>> groups_;
};

}  // namespace plimsoll::graph
