#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/usage_error.h"

namespace {

int run_program(int argc, char** argv) {
    using namespace plimsoll;
    CLI::App app{"Runs, records, profiles, loads and sizes LLM agents", "plimsoll"};
    app.set_version_flag("--version", std::string("plimsoll ") + PLIMSOLL_VERSION);
    app.require_subcommand(1);
    app.failure_message(CLI::FailureMessage::simple);
    bool quiet = false;
    app.add_flag("-q,--quiet", quiet, "only errors on standard error");

    cli::Run run;
    cli::add_eval_command(app, run);
    cli::add_profile_command(app, run);
    cli::add_run_command(app, run);
    cli::add_sizing_command(app, run);
    cli::add_load_command(app, run);
    cli::add_ingest_command(app, run);
    cli::add_report_command(app, run);
    cli::add_serve_command(app, run);
    cli::add_sim_command(app, run);
    cli::add_validate_command(app, run);
    cli::add_info_command(app, run);

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const bool is_help = error.get_exit_code() == 0;
        if (const std::string unknown = is_help ? "" : cli::describe_unknown_words(app); !unknown.empty()) {
            std::fprintf(stderr, "%s\nRun with --help for more information.\n", unknown.c_str());
            return cli::kUsageError;
        }
        return app.exit(error) == 0 ? 0 : cli::kUsageError;
    }
    if (quiet) set_log_level(LogLevel::error);
    return run();
}

}  // namespace

int main(int argc, char** argv) {
    // A reader that goes away (`plimsoll … | head`) ends a write with an error, not the program with a signal.
    std::signal(SIGPIPE, SIG_IGN);
    // So does a file that reached its size limit.
    std::signal(SIGXFSZ, SIG_IGN);
    try {
        return run_program(argc, argv);
    } catch (const std::exception& error) {
        plimsoll::log_error("{}", error.what());
        return 1;
    }
}
