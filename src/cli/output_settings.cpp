#include "cli/output_settings.h"

#include "base/random.h"

namespace plimsoll::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDefaultOutput = "./.tmp/nat/examples/default/";

bool get_flag(const json::value& object, std::string_view key, bool otherwise) {
    const auto* value = find(object, key);
    return value && value->is_bool() ? value->get_bool() : otherwise;
}

// The run's own folder among others, when the config wants that.
void use_job_folder(const json::value& management, OutputSettings& settings) {
    if (!get_flag(management, "append_job_id_to_output_dir", false)) return;
    const fs::path jobs = settings.folder / "jobs";
    settings.folder = jobs / ("job_" + Random::from_entropy().uuid());
    const auto most = get_int(management, "max_jobs").value_or(0);
    if (most > 0)
        settings.jobs = JobRetention{.jobs = jobs,
                                     .most = static_cast<std::size_t>(most),
                                     .by_creation = get_string(management, "eviction_policy").value_or("time_created") == "time_created"};
}

}  // namespace

const json::value* find_general(const config::Config& config, std::string_view key) {
    const auto* value = config.eval_general.if_contains(key);
    return value && !value->is_null() ? value : nullptr;
}

Result<OutputSettings> read_output_settings(const config::Config& config) {
    OutputSettings settings;
    const auto* folder = find_general(config, "output_dir");  // output.dir, where that is given
    settings.folder = folder ? to_text(*folder) : kDefaultOutput;
    const auto* given = find_general(config, "output");
    const json::value output = given ? *given : json::value(json::object());
    settings.cleanup = get_flag(output, "cleanup", true);
    settings.write_atif = get_flag(output, "write_atif_workflow_output", false);
    const auto* names = find(output, "workflow_output_step_filter");
    auto filter = eval::parse_step_filter(names ? *names : json::value());
    if (!filter) return fail(filter.error().with_context("eval.general.output"));
    settings.step_filter = std::move(*filter);
    if (const auto* scripts = find(output, "custom_scripts")) {
        auto parsed = parse_custom_scripts(*scripts, config);
        if (!parsed) return fail(parsed.error().with_context("eval.general.output.custom_scripts"));
        settings.scripts = std::move(*parsed);
    }
    if (const auto* management = find(output, "job_management")) use_job_folder(*management, settings);
    return settings;
}

}  // namespace plimsoll::cli
