// What a load run leaves in its folder while it goes on and at its end:
//
//   requests.csv                          one line a call, appended as calls end: what kill -9 leaves is whole lines
//   all_requests_profiler_traces.json     the first sessions in NAT's shape, for profile and sizing forecast: of each call every token, or
//                                         every step of an agent that ran in this process
//   timeline.csv                          one line a second, at the end
//   load_summary.json                     the run's figures, at the end
//
// Usage: open(), add() for each batch, finish(). One thread. The first failure to write is kept and returned by finish(); later records are
// then not written.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "load/plan.h"
#include "load/record.h"
#include "load/sampler.h"
#include "load/script.h"
#include "load/stats.h"

namespace plimsoll::load {

inline constexpr const char* kRequestsCsv = "requests.csv";
inline constexpr const char* kTimelineCsv = "timeline.csv";
inline constexpr const char* kSummaryJson = "load_summary.json";
inline constexpr const char* kTracesJson = "all_requests_profiler_traces.json";
// Written by others after finish(), and only when there is something to write.
inline constexpr const char* kSamplesCsv = "samples.csv";
inline constexpr const char* kServerMetrics = "server_metrics.prom";
inline constexpr const char* kServerGauges = "server_gauges.csv";
inline constexpr const char* kReportHtml = "report.html";
// Pictures, each as .png and .svg.
inline constexpr const char* kLoadPicture = "load_over_time";
inline constexpr const char* kMachinePicture = "machine";

class RunFiles {
  public:
    // Removes every file of an earlier run there. Traces are written of the sessions with numbers below `traced_sessions`. `book` must
    // outlive this. Errors: io, no_space.
    static Result<RunFiles> open(const std::filesystem::path& folder, const ScriptBook& book, std::string model,
                                 std::size_t traced_sessions);

    void add(const std::vector<SessionRecord>& sessions);
    std::size_t untraced() const { return untraced_; }  // sessions beyond the bound

    // `wall_start` of the run turns its times into those of the calendar; known once it has begun.
    void set_wall_start(double wall_start) { wall_start_ = wall_start; }
    Result<void> finish(const LoadStats& stats, const json::value& summary);

  private:
    RunFiles(std::filesystem::path folder, const ScriptBook& book, std::string model, std::size_t traced, AppendFile requests,
             AppendFile traces);

    void append(AppendFile& file, std::string_view text);
    std::string trace_of(const SessionRecord& session) const;

    std::filesystem::path folder_;
    const ScriptBook* book_;
    std::string model_;
    std::size_t traced_;
    std::size_t untraced_ = 0;
    double wall_start_ = 0;
    AppendFile requests_;
    AppendFile traces_;
    bool first_trace_ = true;
    std::optional<Error> error_;
};

// What a sampler saw, as far as it saw anything: samples, and of servers their last pages and gauges over time. Errors: io, no_space.
Result<void> save_samples(const std::filesystem::path& folder, const SampleLog& log);

// A line of requests.csv and its head, newline included.
std::string csv_head();
std::string csv_line(const SessionRecord& session, const CallRecord& call);

}  // namespace plimsoll::load
