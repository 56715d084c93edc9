#include "profile/analysis_runner.h"

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

bool AnalysisRunner::run(std::string_view name, bool on, const std::function<Result<void>()>& body) {
    if (!on) return false;
    const auto start = std::chrono::steady_clock::now();
    auto result = run_isolated(body);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    timings_.push_back({std::string(name), taken.count()});
    if (result) return true;
    failures_.emplace_back(name, std::move(result).error());
    return false;
}

}  // namespace plimsoll::profile
