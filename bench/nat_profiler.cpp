// One half of tools/bench_nat_profiler.sh: makes a trace file, or profiles one and says what it cost.
//
//   nat_profiler make SESSIONS TRACES.json                 - is standard output
//   nat_profiler run TRACES.json SETTINGS.json FOLDER      prints one line of JSON
#include <fmt/format.h>
#include <sys/resource.h>

#include <cerrno>
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

// The text as one line of JSON a session, so that it can go through a pipe.
Result<void> make(std::size_t sessions, const std::string& name) {
    std::FILE* file = name == "-" ? stdout : std::fopen(name.c_str(), "w");
    if (!file) return fail(errno_error("writing " + name, errno));
    std::fputc('[', file);
    profile::for_each_research_trace(sessions, 7, [&, first = true](const event::SessionTrace& session) mutable {
        const std::string text = (first ? "\n" : ",\n") + to_compact_json(event::to_json(session));
        std::fwrite(text.data(), 1, text.size(), file);
        first = false;
    });
    std::fputs("\n]\n", file);
    if (std::ferror(file) != 0 || std::fclose(file) != 0) return fail(errno_error("writing " + name, errno));
    return {};
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
    double reading = 0, handing_out = 0;  // the first with the second in it
    const profile::SessionSource source = [&](const auto& on_session) -> Result<event::SkipReport> {
        record::TraceReader reader(
            [&](const event::SessionTrace& session) {
                const double before = cpu_seconds();
                on_session(session);
                handing_out += cpu_seconds() - before;
            },
            false);
        const double before = cpu_seconds();
        PLIMSOLL_TRY(reader.read(traces_file));
        reader.finish();
        reading += cpu_seconds() - before;
        return reader.skipped();
    };
    profile::ArtefactFolder artefacts(folder);
    const auto result = profile::profile(source, {}, *config, artefacts);
    if (!result) return fail(result.error());
    PLIMSOLL_TRY(artefacts.saved());
    const double load = reading - handing_out, taken = cpu_seconds() - start - load;

    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    fmt::print("{{\"load_s\": {:.3f}, \"profile_s\": {:.3f}, \"peak_mb\": {:.1f}, \"failures\": {}}}\n", load, taken,
               static_cast<double>(usage.ru_maxrss) / 1024, result->failures.size());
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
