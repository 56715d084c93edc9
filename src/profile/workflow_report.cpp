#include "profile/workflow_report.h"

#include <fmt/format.h>

namespace plimsoll::profile {

void WorkflowReport::add(std::string_view name, bool on, const std::function<Result<void>(const AnalysisOutput&)>& analyse) {
    if (!on) return;
    if (!metrics_) {
        metrics_ = artefacts_.open("workflow_profiling_metrics.json");
        report_ = artefacts_.open("workflow_profiling_report.txt");
        metrics_->append("{");
    }
    std::string key = has_metrics_ ? ",\n  " : "\n  ";
    append_pretty_json(key, json::value(name), 1);
    metrics_->append(key + ": ");
    report_->append("\n\n\n");
    has_metrics_ = true;
    const std::uint64_t metrics_size = metrics_->size(), report_size = report_->size();
    const bool done = runner_.run(name, on, [&]() -> Result<void> {
        JsonStream metrics([&](std::string_view text) { metrics_->append(text); }, 1);
        TextStream report([&](std::string_view text) { report_->append(text); });
        PLIMSOLL_TRY(analyse({metrics, report}));
        metrics.flush();
        report.flush();
        return {};
    });
    if (done) return;
    metrics_->cut(metrics_size);
    report_->cut(report_size);
    std::string error;
    append_pretty_json(error, runner_.in_place_of(name, nullptr), 1);
    metrics_->append(error);
    report_->append(fmt::format("{}: not finished: {}", name, runner_.find_failure(name)->message));
}

void WorkflowReport::finish() {
    if (!metrics_) return;
    metrics_->append("\n}");
    metrics_->commit();
    report_->commit();
}

}  // namespace plimsoll::profile
