#include "record/run_folder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

namespace plimsoll::record {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPacked[] = {"", ".gz", ".zst"};
constexpr std::string_view kTraceEndings[] = {".json", ".jsonl", ".ndjson", ".bin", ".pb", ".binpb", ".otlp"};
constexpr std::string_view kLegPrefix = "concurrency_";

bool is_trace_name(std::string_view name) {
    for (const auto packed : kPacked)
        if (!packed.empty() && name.ends_with(packed)) name.remove_suffix(packed.size());
    return std::ranges::any_of(kTraceEndings, [&](const auto ending) { return name.ends_with(ending); });
}

// In the order of their names; one more than the bound at most.
std::vector<fs::path> list(const fs::path& folder, bool (*keep)(const fs::directory_entry&)) {
    std::vector<fs::path> out;
    std::error_code error;  // a folder that cannot be read has nothing to offer
    for (fs::directory_iterator at(folder, error), end; !error && at != end && out.size() <= kMaxFolderFiles; at.increment(error))
        if (keep(*at)) out.push_back(at->path());
    std::ranges::sort(out);
    return out;
}

bool is_leg(const fs::directory_entry& entry) {
    return entry.is_directory() && entry.path().filename().string().starts_with(kLegPrefix) && !find_run_files(entry.path()).empty();
}

bool is_trace_file(const fs::directory_entry& entry) { return entry.is_regular_file() && is_trace_name(entry.path().filename().string()); }

// concurrency_8 before concurrency_16.
std::vector<fs::path> find_legs(const fs::path& job) {
    auto legs = list(job, is_leg);
    std::ranges::stable_sort(legs, {}, [](const fs::path& leg) {
        const std::string name = leg.filename().string().substr(kLegPrefix.size());
        int concurrency = 0;
        std::from_chars(name.data(), name.data() + name.size(), concurrency);
        return concurrency;
    });
    return legs;
}

std::vector<fs::path> find_newest_job(const fs::path& sizing) {
    auto jobs = list(sizing / "online", [](const fs::directory_entry& entry) { return entry.is_directory() && !find_legs(entry).empty(); });
    const auto newest = std::ranges::max_element(jobs, {}, [](const fs::path& job) { return fs::last_write_time(job); });
    return newest == jobs.end() ? std::vector<fs::path>() : find_legs(*newest);
}

}  // namespace

std::vector<fs::path> find_run_files(const fs::path& folder) {
    std::vector<fs::path> out;
    for (const auto name : kRunFileNames)
        for (const auto packed : kPacked)
            if (fs::path file = folder / (std::string(name) + std::string(packed)); fs::exists(file)) out.push_back(std::move(file));
    return out;
}

Result<std::vector<fs::path>> find_runs(const fs::path& input) {
    std::error_code error;
    if (!fs::is_directory(input, error) || !find_run_files(input).empty()) return std::vector{input};
    if (!find_run_files(input / "out").empty()) return std::vector{input / "out"};
    for (const auto& find : {find_newest_job, find_legs})
        if (auto legs = find(input); !legs.empty()) return legs;
    auto files = list(input, is_trace_file);
    if (files.size() > kMaxFolderFiles)
        return fail(ErrorCode::limit, fmt::format("{}: more than {} files", input.string(), kMaxFolderFiles));
    if (files.empty())
        return fail(ErrorCode::not_found, fmt::format("{}: no run in it: none of {}, no legs of a sizing run, no trace files",
                                                      input.string(), fmt::join(kRunFileNames, ", ")));
    return files;
}

std::optional<fs::path> find_run_config(const fs::path& file) {
    const fs::path folder = fs::absolute(file).lexically_normal().parent_path();
    for (const char* name : {"config_effective.yml", "config_original.yml"})
        if (fs::exists(folder / name)) return folder / name;
    if (fs::path beside = folder.parent_path() / "config.yml"; folder.filename() == "out" && fs::exists(beside)) return beside;
    return std::nullopt;
}

}  // namespace plimsoll::record
