#include "load/run_files.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/csv.h"
#include "event/trace.h"

namespace plimsoll::load {
namespace {

using event::Category;
using event::Phase;

double seconds(std::int64_t ns) { return 1e-9 * static_cast<double>(ns); }

// Milliseconds, or nothing for what did not happen.
std::string ms(std::int64_t ns) { return fmt::format("{:.3f}", 1e-6 * static_cast<double>(ns)); }

// One traced session as NAT writes it. The steps of a call's tokens differ in their time only: they are written once and cut there, since
// a tree of values for each would cost many times what the call did.
class TraceWriter {
  public:
    TraceWriter(const SessionRecord& session, double wall_start) : session_(session), wall_start_(wall_start) {}

    std::string write(const Script& script, const std::string& model) {
        if (std::ranges::any_of(session_.calls, [](const CallRecord& call) { return !call.steps.empty(); })) return write_recorded();
        const std::string root = id("session", 0);
        event::Step start = make_step(Category::workflow, Phase::start, root, "root", "load", session_.start);
        start.payload.metadata = {{event::kIntendedStart, at(session_.intended)}};
        add(start);
        for (const CallRecord& call : session_.calls) {
            const ScriptStep& step = script.steps[static_cast<std::size_t>(call.step)];
            add_call(call, step, step.name.empty() ? model : step.name, root);
        }
        event::Step end = make_step(Category::workflow, Phase::end, root, "root", "load", session_.end);
        end.payload.span_event_timestamp = at(session_.start);
        add(end);
        std::ranges::stable_sort(lines_, {}, &Line::time);
        std::string out = fmt::format(R"({{"request_number":{},"intermediate_steps":[)", session_.number);
        for (const Line& line : lines_) {
            const auto& [head, tail] = texts_[line.text];
            out.append(head).append(to_compact_json(line.time)).append(tail).push_back(',');
        }
        out.back() = ']';
        return out + '}';
    }

  private:
    struct Line {
        double time = 0;
        std::size_t text = 0;  // in texts_
    };

    std::string write_recorded() const {
        event::SessionTrace trace;
        trace.request_number = static_cast<std::int64_t>(session_.number);
        for (const CallRecord& call : session_.calls) trace.steps.insert(trace.steps.end(), call.steps.begin(), call.steps.end());
        event::note_queueing(trace, seconds(session_.start - session_.intended));
        return to_compact_json(event::to_json(trace));
    }

    void add_call(const CallRecord& call, const ScriptStep& step, const std::string& model, const std::string& root) {
        const std::string uuid = id("call", call.step + 1);
        event::Step start = make_step(Category::llm, Phase::start, uuid, root, model, call.start);
        start.payload.metadata = {{event::kIntendedStart, at(call.intended)}};
        start.payload.data.emplace();
        if (!step.messages.empty()) start.payload.data->input = step.messages.back().text;
        add(start);
        if (!call.token_us.empty()) add_text(make_step(Category::llm, Phase::chunk, uuid, root, model, call.start));
        for (const std::uint32_t us : call.token_us) lines_.push_back({at(call.start + 1000ll * us), texts_.size() - 1});
        event::Step end = make_step(Category::llm, Phase::end, uuid, root, model, call.end);
        end.payload.span_event_timestamp = at(call.start);
        event::UsageInfo usage;
        usage.num_llm_calls = 1;
        usage.token_usage.prompt_tokens = std::max<std::int64_t>(0, call.prompt_tokens);
        usage.token_usage.completion_tokens = call.tokens();
        usage.token_usage.total_tokens = usage.token_usage.prompt_tokens + usage.token_usage.completion_tokens;
        end.payload.usage_info = usage;
        if (const std::string kind = error_kind(call); !kind.empty())
            end.payload.metadata = {{"error",
                                     {{"code", to_string(call.error ? call.error->code : ErrorCode::cancelled)},
                                      {"message", call.error ? call.error->message : kind}}}};
        add(end);
    }

    event::Step make_step(Category category, Phase phase, const std::string& uuid, const std::string& parent, const std::string& name,
                          std::int64_t ns) const {
        event::Step step;
        step.parent_id = parent;
        step.payload.event_type = {category, phase};
        step.payload.event_timestamp = at(ns);
        step.payload.name = name;
        step.payload.uuid = uuid;
        return step;
    }

    void add(const event::Step& step) {
        add_text(step);
        lines_.push_back({step.payload.event_timestamp, texts_.size() - 1});
    }

    // Before its time and after it. No text of ours stands before a step's own time, so the first one found is it.
    void add_text(const event::Step& step) {
        constexpr std::string_view kTime = "\"event_timestamp\":";
        std::string text = to_compact_json(event::to_json(step));
        const std::size_t begin = text.find(kTime) + kTime.size(), end = text.find(',', begin);
        texts_.emplace_back(text.substr(0, begin), text.substr(end));
    }

    std::string id(std::string_view what, int number) const { return fmt::format("{}-{}-{}", what, session_.number, number); }
    double at(std::int64_t ns) const { return wall_start_ + seconds(ns); }

    const SessionRecord& session_;
    double wall_start_;
    std::vector<std::pair<std::string, std::string>> texts_;
    std::vector<Line> lines_;
};

std::string timeline_csv(const std::vector<Second>& timeline) {
    std::string out = "second,sessions_started,calls_ended,calls_failed,tokens,calls_open,latency_p50_s,latency_p95_s\n";
    for (std::size_t i = 0; i < timeline.size(); ++i) {
        const Second& second = timeline[i];
        fmt::format_to(std::back_inserter(out), "{},{},{},{},{},{},{:.6f},{:.6f}\n", i, second.started, second.ended, second.failed,
                       second.tokens, second.open, second.p50, second.p95);
    }
    return out;
}

Result<AppendFile> open_new(const std::filesystem::path& path) {
    std::error_code ignored;  // there may be none; opening says what is wrong
    std::filesystem::remove(path, ignored);
    return AppendFile::open(path);
}

}  // namespace

Result<void> save_samples(const std::filesystem::path& folder, const SampleLog& log) {
    if (!log.samples.empty()) PLIMSOLL_TRY(save_file(folder / kSamplesCsv, samples_csv(log)));
    if (log.last_scrapes.empty()) return {};
    PLIMSOLL_TRY(save_file(folder / kServerMetrics, last_scrapes_text(log)));
    return save_file(folder / kServerGauges, gauges_csv(log.gauges));
}

std::string csv_head() {
    return "session,step,intended_s,start_s,schedule_error_ms,ttft_ms,ttft_raw_ms,latency_ms,latency_raw_ms,pieces,prompt_tokens,"
           "completion_tokens,error,message\n";
}

std::string csv_line(const SessionRecord& session, const CallRecord& call) {
    const bool has_first = call.first >= 0;
    return fmt::format("{},{},{:.6f},{:.6f},{},{},{},{},{},{},{},{},{},{}\n", session.number, call.step, seconds(call.intended),
                       seconds(call.start), ms(call.start - call.intended), has_first ? ms(call.first - call.intended) : "",
                       has_first ? ms(call.first - call.start) : "", ms(call.end - call.intended), ms(call.end - call.start), call.pieces,
                       call.prompt_tokens >= 0 ? fmt::format("{}", call.prompt_tokens) : "",
                       call.completion_tokens >= 0 ? fmt::format("{}", call.completion_tokens) : "", error_kind(call),
                       call.error ? csv_field(call.error->message) : "");
}

RunFiles::RunFiles(std::filesystem::path folder, const ScriptBook& book, std::string model, std::size_t traced, AppendFile requests,
                   AppendFile traces)
    : folder_(std::move(folder)),
      book_(&book),
      model_(std::move(model)),
      traced_(traced),
      requests_(std::move(requests)),
      traces_(std::move(traces)) {}

Result<RunFiles> RunFiles::open(const std::filesystem::path& folder, const ScriptBook& book, std::string model,
                                std::size_t traced_sessions) {
    PLIMSOLL_TRY(make_folder(folder));
    std::vector<std::string> names = {kTimelineCsv, kSummaryJson, kSamplesCsv, kServerMetrics, kServerGauges, kReportHtml};
    for (const std::string picture : {kLoadPicture, kMachinePicture}) names.insert(names.end(), {picture + ".png", picture + ".svg"});
    for (const std::string& name : names) {
        std::error_code ignored;  // there may be none
        std::filesystem::remove(folder / name, ignored);
    }
    auto requests = open_new(folder / kRequestsCsv);
    if (!requests) return fail(requests.error());
    auto traces = open_new(folder / kTracesJson);
    if (!traces) return fail(traces.error());
    PLIMSOLL_TRY(requests->append(csv_head()));
    PLIMSOLL_TRY(traces->append("["));
    return RunFiles(folder, book, std::move(model), traced_sessions, std::move(*requests), std::move(*traces));
}

void RunFiles::append(AppendFile& file, std::string_view text) {
    if (error_ || text.empty()) return;
    if (const auto written = file.append(text); !written) error_ = written.error();
}

void RunFiles::add(const std::vector<SessionRecord>& sessions) {
    std::string lines, traces;
    for (const SessionRecord& session : sessions) {
        for (const CallRecord& call : session.calls) lines += csv_line(session, call);
        if (session.number >= traced_) {
            ++untraced_;
            continue;
        }
        traces += first_trace_ ? "\n" : ",\n";
        first_trace_ = false;
        traces += trace_of(session);
    }
    append(requests_, lines);
    append(traces_, traces);
}

std::string RunFiles::trace_of(const SessionRecord& session) const {
    return TraceWriter(session, wall_start_).write((*book_)[session.number % book_->size()], model_);
}

Result<void> RunFiles::finish(const LoadStats& stats, const json::value& summary) {
    append(traces_, "\n]\n");
    if (error_) return fail(*error_);
    PLIMSOLL_TRY(requests_.sync());
    PLIMSOLL_TRY(save_file(folder_ / kTimelineCsv, timeline_csv(stats.timeline())));
    return save_file(folder_ / kSummaryJson, to_pretty_json(summary) + "\n");
}

}  // namespace plimsoll::load
