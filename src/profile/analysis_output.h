// What a bottleneck analysis writes: piece by piece, since that of a long run is longer than its trace.
#pragma once

#include <functional>
#include <string>

#include "base/json_stream.h"

namespace plimsoll::profile {

// A text that goes on in blocks to whatever takes it.
class TextStream {
  public:
    using Sink = std::function<void(std::string_view)>;
    explicit TextStream(Sink sink) : sink_(std::move(sink)) {}

    void append(std::string_view text) {
        constexpr std::size_t kBlock = 1 << 16;
        block_ += text;
        if (block_.size() >= kBlock) flush();
    }
    void flush() {
        sink_(block_);
        block_.clear();
    }

  private:
    Sink sink_;
    std::string block_;
};

struct AnalysisOutput {
    JsonStream& metrics;  // its member of workflow_profiling_metrics.json: one object
    TextStream& report;   // its section of workflow_profiling_report.txt, without a last line end
};

}  // namespace plimsoll::profile
