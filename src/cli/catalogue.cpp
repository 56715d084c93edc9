#include "cli/catalogue.h"

#include "base/log.h"
#include "eval/dataset.h"
#include "eval/evaluators.h"
#include "llm/providers.h"
#include "profile/profiler_config.h"
#include "record/logging.h"
#include "record/telemetry.h"
#include "research/deep_research.h"
#include "serve/front_end.h"

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
    all.push_back(serve::front_end_info());
    return all;
}

std::vector<config::Override> ConfigFlags::override_list() const {
    std::vector<config::Override> out;
    for (std::size_t i = 0; i + 1 < overrides.size(); i += 2) out.push_back({overrides[i], overrides[i + 1]});
    return out;
}

Result<config::Config> load_config(const ConfigFlags& flags, config::LoadOptions options) {
    options.strict = flags.strict;
    options.overrides = flags.override_list();
    config::Loaded loaded = config::load(flags.file, full_catalogue(), options);
    for (const config::Problem& problem : loaded.problems) {
        const bool is_error = problem.severity == config::Problem::Severity::error;
        write_log(is_error ? LogLevel::error : LogLevel::warning, problem.text());
    }
    if (!loaded.ok()) return fail(ErrorCode::config, flags.file + " cannot be used");
    return std::move(loaded.config);
}

}  // namespace plimsoll::cli
