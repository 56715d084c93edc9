// The two workflow_profiling files: a member and a section for each bottleneck analysis, in NAT's order.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "profile/analysis_output.h"
#include "profile/analysis_runner.h"
#include "profile/artefacts.h"

namespace plimsoll::profile {

class WorkflowReport {
  public:
    WorkflowReport(AnalysisRunner& runner, ArtefactStore& artefacts) : runner_(runner), artefacts_(artefacts) {}

    // Of an analysis that fails both files have the reason.
    void add(std::string_view name, bool on, const std::function<Result<void>(const AnalysisOutput&)>& analyse);

    // Writes both files, when any analysis was on.
    void finish();

  private:
    AnalysisRunner& runner_;
    ArtefactStore& artefacts_;
    std::unique_ptr<ArtefactWriter> metrics_, report_;  // opened with the first analysis
    bool has_metrics_ = false;
};

}  // namespace plimsoll::profile
