#include "llm/sim_stats.h"

namespace plimsoll::llm {

json::value SimStats::to_json() const {
    json::object counts;
    for (const auto name : sim_fault_names()) counts[{name.data(), name.size()}] = fault_count(*parse_sim_fault(name));
    json::array loads;
    for (const SimLoad& load : replicas)
        loads.push_back({{"running", load.running},
                         {"waiting", load.waiting},
                         {"kv_blocks", load.kv_blocks},
                         {"kv_blocks_used", load.kv_blocks_used},
                         {"preemptions", load.preemptions},
                         {"steps", load.steps},
                         {"busy_seconds", load.busy_seconds}});
    return {{"requests", requests},
            {"completed", completed},
            {"rejected", rejected},
            {"clients_gone", clients_gone},
            {"open", open},
            {"peak_open", peak_open},
            {"running", running},
            {"waiting", waiting},
            {"prompt_tokens", prompt_tokens},
            {"generation_tokens", generation_tokens},
            {"lateness_max", lateness_max},
            {"lateness_mean", deliveries > 0 ? lateness_sum / static_cast<double>(deliveries) : 0},
            {"replicas", std::move(loads)},
            {"faults", std::move(counts)}};
}

}  // namespace plimsoll::llm
