#include "cli/catalogue.h"

#include <cstdio>

#include "eval/dataset.h"
#include "eval/evaluators.h"
#include "llm/providers.h"
#include "profile/profiler_config.h"
#include "record/logging.h"
#include "record/telemetry.h"
#include "research/deep_research.h"

namespace plimsoll::cli {

functions::FunctionTypes all_function_types() {
    functions::FunctionTypes types = functions::function_types();
    for (auto& type : research::function_types()) types.push_back(std::move(type));
    return types;
}

Catalogue full_catalogue() {
    Catalogue all = llm::llm_catalogue();
    for (const auto& type : all_function_types()) all.push_back(type.info);
    for (const auto& part : {record::telemetry_catalogue(), record::logging_catalogue(), eval::dataset_catalogue(),
                             eval::evaluator_catalogue(), profile::profiler_catalogue()})
        all.insert(all.end(), part.begin(), part.end());
    return all;
}

Result<config::Config> load_config(const ConfigFlags& flags, config::LoadOptions options) {
    options.strict = flags.strict;
    for (std::size_t i = 0; i + 1 < flags.overrides.size(); i += 2)
        options.overrides.push_back({flags.overrides[i], flags.overrides[i + 1]});
    config::Loaded loaded = config::load(flags.file, full_catalogue(), options);
    for (const config::Problem& problem : loaded.problems) {
        const bool is_error = problem.severity == config::Problem::Severity::error;
        std::fprintf(stderr, "%s: %s\n", is_error ? "error" : "warning", problem.text().c_str());
    }
    if (!loaded.ok()) return fail(ErrorCode::config, flags.file + " cannot be used");
    return std::move(loaded.config);
}

}  // namespace plimsoll::cli
