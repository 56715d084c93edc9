// Every command of the program, one file each. add_…() binds flags and, when the user chose the command, sets `run` to what
// does the work and returns the exit code: 0 done, 1 failed, 2 wrong usage.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace plimsoll::cli {

using Run = std::function<int()>;

void add_eval_command(CLI::App& app, Run& run);
void add_profile_command(CLI::App& app, Run& run);
void add_run_command(CLI::App& app, Run& run);
void add_sizing_command(CLI::App& app, Run& run);
// `sizing forecast`; `sizing` is what add_sizing_command() made.
void add_forecast_command(CLI::App& sizing, Run& run);
void add_ingest_command(CLI::App& app, Run& run);
void add_report_command(CLI::App& app, Run& run);
void add_serve_command(CLI::App& app, Run& run);
void add_sim_command(CLI::App& app, Run& run);
// `sim play`; `sim` is what add_sim_command() made.
void add_sim_play_command(CLI::App& sim, Run& run);
void add_validate_command(CLI::App& app, Run& run);
void add_info_command(CLI::App& app, Run& run);
void add_load_command(CLI::App& app, Run& run);

}  // namespace plimsoll::cli
