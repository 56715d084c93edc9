#include "forecast/gpu_estimate.h"

#include <fmt/format.h>

namespace plimsoll::forecast {
namespace {

GpuEstimate make_estimate(double sessions, TestedLoad load) {
    return {.gpus = load.users / sessions * load.gpus, .sessions_at_target = sessions};
}

}  // namespace

Result<GpuEstimate> estimate_gpus(const LinearFit& fit, double target_seconds, TestedLoad load, int highest) {
    if (fit.flat) {
        if (target_seconds < fit.at(highest))
            return fail(ErrorCode::limit, fmt::format("the p95 is {:.3g} s whatever the load, above the target of {:.3g} s: more GPUs of "
                                                      "this kind do not meet it",
                                                      fit.at(highest), target_seconds));
        GpuEstimate estimate = make_estimate(highest, load);
        estimate.capacity_not_reached = true;
        return estimate;
    }
    if (target_seconds <= fit.intercept)
        return fail(ErrorCode::limit, fmt::format("the target of {:.3g} s is not above {:.3g} s, the p95 without load: more GPUs of this "
                                                  "kind do not meet it",
                                                  target_seconds, fit.intercept));
    const double sessions = (target_seconds - fit.intercept) / fit.slope;
    if (!(sessions > 0)) return fail(ErrorCode::limit, fmt::format("the fitted line falls ({:.3g} s per session)", fit.slope));
    return make_estimate(sessions, load);
}

std::optional<double> rough_gpus(double observed_seconds, double target_seconds, int concurrency, TestedLoad load) {
    if (target_seconds <= 0) return std::nullopt;
    return static_cast<double>(load.users) / concurrency * (observed_seconds / target_seconds) * load.gpus;
}

std::optional<std::int64_t> gpus_of_replicas(int replicas, const std::vector<std::string>& models, const Limits& limits) {
    std::int64_t gpus = 0;
    for (const std::string& model : models) {
        const auto known = limits.endpoints.find(model);
        if (known == limits.endpoints.end() || !known->second.gpus_per_replica) return std::nullopt;
        gpus += std::int64_t{replicas} * *known->second.gpus_per_replica;
    }
    return gpus;
}

}  // namespace plimsoll::forecast
