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

bool AnalysisRunner::run(std::string_view name, bool on, const std::function<Result<void>()>& body) {
    if (!on || find_failure(name)) return false;
    const auto start = std::chrono::steady_clock::now();
    auto result = run_isolated(body);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    timing_of(name).seconds += taken.count();
    if (result) return true;
    failures_.emplace_back(name, std::move(result).error());
    return false;
}

const Error* AnalysisRunner::find_failure(std::string_view name) const {
    const auto failure = std::ranges::find(failures_, name, [](const auto& entry) { return std::string_view(entry.first); });
    return failure == failures_.end() ? nullptr : &failure->second;
}

json::value AnalysisRunner::in_place_of(std::string_view name, json::value value) const {
    const Error* error = find_failure(name);
    if (!error) return value;
    return {{"error", {{"code", to_string(error->code)}, {"message", error->message}}}};
}

}  // namespace plimsoll::profile
