#include "profile/analysis_runner.h"

#include <algorithm>
#include <chrono>
#include <exception>

namespace plimsoll::profile {
namespace {

Result<void> run_isolated(const std::function<Result<void>()>& body) {
    try {
        return body();
    } catch (const std::exception& exception) {
        return fail(ErrorCode::internal, exception.what());
    }
}

}  // namespace

AnalysisRunner::Timing& AnalysisRunner::timing_of(std::string_view name) {
    const auto found = std::ranges::find(timings_, name, &Timing::name);
    return found == timings_.end() ? timings_.emplace_back(std::string(name)) : *found;
}

bool AnalysisRunner::has_failed(std::string_view name) const {
    return std::ranges::any_of(failures_, [&](const auto& failure) { return failure.first == name; });
}

bool AnalysisRunner::run(std::string_view name, bool on, const std::function<Result<void>()>& body) {
    if (!on || has_failed(name)) return false;
    const auto start = std::chrono::steady_clock::now();
    auto result = run_isolated(body);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    timing_of(name).seconds += taken.count();
    if (result) return true;
    failures_.emplace_back(name, std::move(result).error());
    return false;
}

}  // namespace plimsoll::profile
