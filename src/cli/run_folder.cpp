#include "cli/run_folder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "base/files.h"
#include "base/json.h"
#include "base/log.h"
#include "eval/folder_lock.h"
#include "eval/output_files.h"

namespace plimsoll::cli {
namespace {

namespace fs = std::filesystem;

// The second is raw data in a folder of NAT's.
constexpr std::array kRawFiles = {"events.jsonl", "all_requests_profiler_traces.json"};

// What eval, profiler and pictures compute, NAT's own files included.
constexpr std::array kComputedFiles = {"config_original.yml",
                                       "config_effective.yml",
                                       "config_metadata.json",
                                       "workflow_output.json",
                                       "workflow_output_atif.json",
                                       "standardized_data_all.csv",
                                       "inference_optimization.json",
                                       "workflow_profiling_metrics.json",
                                       "workflow_profiling_report.txt",
                                       "gantt_chart.png",
                                       "profile.json",
                                       "llm_calls.csv",
                                       "report.html",
                                       "token_usage_forecast.json",
                                       "fitted_model.pkl",
                                       "prediction_trie.json"};

// A folder with one of these holds a run of ours or NAT's. The other names are common enough to be anybody's.
constexpr std::array kRunMarks = {"events.jsonl", "config_metadata.json", "workflow_output.json", "all_requests_profiler_traces.json"};

// Folders that outlive a run in its folder: logs of model servers, and the runs with folders of their own.
constexpr std::array kKeptFolders = {"logs", "jobs"};

constexpr std::size_t kMaxListed = 5;  // names of files that stay

bool is_input(const EvalFolder& folder, const fs::path& file) {
    std::error_code absent;
    return std::ranges::any_of(folder.inputs, [&](const fs::path& input) { return fs::equivalent(input, file, absent); });
}

std::string earlier_name(const fs::path& name) { return name.stem().string() + ".earlier" + name.extension().string(); }

// Inputs stay, and whatever stands under the name without being a file.
Result<void> remove_own(const EvalFolder& folder, const fs::path& relative) {
    if (!eval::stays_inside(relative)) return {};
    const fs::path file = folder.path / relative;
    std::error_code error;
    const auto status = fs::symlink_status(file, error);
    if ((!fs::is_regular_file(status) && !fs::is_symlink(status)) || is_input(folder, file)) return {};
    if (!fs::remove(file, error) && error) return fail(errno_error("removing " + file.string(), error.value()));
    // An evaluator's name may have made folders; those that hold something else stay.
    std::error_code not_empty;
    for (fs::path parent = relative.parent_path(); !parent.empty() && fs::remove(folder.path / parent, not_empty);)
        parent = parent.parent_path();
    return {};
}

void say_what_stays(const EvalFolder& folder) {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder.path, error)) {
        const std::string name = entry.path().filename();
        const bool is_ours = std::ranges::find(kKeptFolders, name) != kKeptFolders.end() ||
                             std::ranges::any_of(kRawFiles, [&](const char* raw) { return name == raw || name == earlier_name(raw); });
        if (!is_ours) names.push_back(name);
    }
    if (names.empty()) return;
    std::ranges::sort(names);
    const std::size_t more = names.size() - std::min(names.size(), kMaxListed);
    names.resize(names.size() - more);
    log_info("{} holds other files than a run's, which stay: {}{}", folder.path.string(), fmt::join(names, ", "),
             more > 0 ? fmt::format(" and {} more", more) : "");
}

}  // namespace

Result<void> clear_earlier_run(const EvalFolder& folder) {
    PLIMSOLL_TRY(make_folder(folder.path));
    if (std::ranges::none_of(kRunMarks, [&](const char* name) { return fs::exists(folder.path / name); })) return {};
    // The lock that a run in progress holds; its files are not ours to remove.
    const auto lock = eval::FolderLock::take(folder.path);
    if (!lock) return fail(lock.error());
    if (const auto earlier = eval::load_metadata(folder.path))
        for (const std::string& name : earlier->named_files) PLIMSOLL_TRY(remove_own(folder, name));
    for (const std::string& name : folder.named_files) PLIMSOLL_TRY(remove_own(folder, name));
    for (const char* name : kComputedFiles) PLIMSOLL_TRY(remove_own(folder, name));
    for (const char* name : kRawFiles) {
        if (!folder.makes_raw_data) continue;
        PLIMSOLL_TRY(remove_own(folder, name));
        PLIMSOLL_TRY(remove_own(folder, earlier_name(name)));
    }
    say_what_stays(folder);
    return {};
}

Result<void> set_aside_raw_data(const EvalFolder& folder) {
    PLIMSOLL_TRY(make_folder(folder.path));
    const auto lock = eval::FolderLock::take(folder.path);
    if (!lock) return fail(lock.error());
    for (const char* name : kRawFiles) {
        const fs::path file = folder.path / name;
        if (!fs::exists(file) || is_input(folder, file)) continue;
        std::error_code error;
        fs::rename(file, folder.path / earlier_name(name), error);
        if (error) return fail(errno_error("renaming " + file.string(), error.value()));
        log_info("{}: {} is of an earlier run and is called {} from here on", folder.path.string(), name, earlier_name(name));
    }
    return {};
}

Result<void> evict_jobs(const JobRetention& retention) {
    std::vector<std::pair<std::int64_t, fs::path>> jobs;  // by age in nanoseconds
    std::error_code absent;
    for (const auto& entry : fs::directory_iterator(retention.jobs, absent)) {
        struct stat status{};
        if (!entry.path().filename().string().starts_with("job_") || ::lstat(entry.path().c_str(), &status) != 0) continue;
        if (!S_ISDIR(status.st_mode)) continue;
        const timespec& time = retention.by_creation ? status.st_ctim : status.st_mtim;
        constexpr std::int64_t kNanos = 1'000'000'000;
        jobs.emplace_back(time.tv_sec * kNanos + time.tv_nsec, entry.path());
    }
    std::ranges::sort(jobs);
    for (std::size_t i = 0; i + retention.most <= jobs.size(); ++i) {
        const fs::path& job = jobs[i].second;
        const auto lock = eval::FolderLock::take(job);
        if (!lock) {
            log_warning("{} stays beyond max_jobs: {}", job.string(), lock.error().message);
            continue;
        }
        std::error_code error;
        fs::remove_all(job, error);
        if (error) return fail(errno_error("removing " + job.string(), error.value()));
        log_info("{} is removed: max_jobs is {}", job.string(), retention.most);
    }
    return {};
}

}  // namespace plimsoll::cli
