// One half of tools/bench_nat_profiler.sh: makes a trace file, or profiles one and says what it cost.
//
//   nat_profiler make SESSIONS TRACES.json
//   nat_profiler run TRACES.json SETTINGS.json FOLDER      prints one line of JSON
#include <fmt/format.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <string>

#include "base/files.h"
#include "base/memory.h"
#include "profile/profiler.h"
#include "profile/research_trace.h"
#include "record/trace_file.h"

namespace {

using namespace plimsoll;
// CPU time: what else runs on the machine must not count.
double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

Result<void> make(std::size_t sessions, const std::string& file) {
    return save_file(file, to_compact_json(event::to_json(profile::make_research_traces(sessions))));
}

Result<void> run(const std::string& traces_file, const std::string& settings_file, const std::filesystem::path& folder) {
    const auto settings_text = load_file(settings_file);
    if (!settings_text) return fail(settings_text.error());
    const auto settings = parse_json(*settings_text);
    if (!settings) return fail(settings.error());
    auto config = profile::parse_profiler_config(*settings);
    if (!config) return fail(config.error());
    config->nat_compat = true;

    return_large_blocks();
    const double start = cpu_seconds();
    auto traces = record::read_trace_file(traces_file);
    if (!traces) return fail(traces.error());
    const profile::ProfileInput input{std::move(traces->sessions), std::move(traces->skipped), {}, {}};
    const double load = cpu_seconds() - start;
    const double profile_start = cpu_seconds();
    Result<void> saved;
    const auto result = profile::profile(input, *config, [&](const profile::Artefact& artefact) {
        if (saved) saved = save_file(folder / artefact.file_name, artefact.content);
    });
    if (!saved) return saved;
    const double taken = cpu_seconds() - profile_start;

    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    fmt::print("{{\"load_s\": {:.3f}, \"profile_s\": {:.3f}, \"peak_mb\": {:.1f}, \"failures\": {}}}\n", load, taken,
               static_cast<double>(usage.ru_maxrss) / 1024, result.failures.size());
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    const std::string command = argc > 1 ? argv[1] : "";
    Result<void> done = fail(ErrorCode::invalid_argument, "nat_profiler make SESSIONS FILE | run TRACES SETTINGS FOLDER");
    if (command == "make" && argc == 4) done = make(std::strtoul(argv[2], nullptr, 10), argv[3]);
    if (command == "run" && argc == 5) done = run(argv[2], argv[3], argv[4]);
    if (done) return EXIT_SUCCESS;
    fmt::print(stderr, "{}\n", done.error().message);
    return EXIT_FAILURE;
}
