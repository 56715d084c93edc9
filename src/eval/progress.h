// What the user sees of a run: a line that moves while it runs, and the summary at its end.
#pragma once

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "eval/runner.h"

namespace plimsoll::eval {

// "done 3 running 4 failed 0 of 16 ETA 12s"; the estimate is there once a session of this run has ended.
std::string progress_line(const Progress& progress);

// On a terminal one line is rewritten in place; elsewhere whole lines come at most every two seconds, when something changed, and one at
// the end. One thread. Give update() to RunOptions::on_progress.
class ProgressPrinter {
  public:
    struct Style {
        bool live = false;    // rewrite the line
        bool colour = false;  // failures in red
    };
    // What suits a stream: live on a terminal that is not "dumb", colour there unless NO_COLOR is set.
    static Style style_of(std::FILE* stream);

    ProgressPrinter(std::FILE* stream, Style style) : stream_(stream), style_(style) {}
    ~ProgressPrinter();  // ends a live line
    ProgressPrinter(const ProgressPrinter&) = delete;
    ProgressPrinter& operator=(const ProgressPrinter&) = delete;

    void update(const Progress& progress);

  private:
    std::FILE* stream_;
    Style style_;
    std::string shown_;
    double shown_at_s_ = 0;
};

struct Summary {
    bool interrupted = false;
    std::string output_files = "workflow_output.json";
    double total_runtime_s = 0;
    std::optional<double> workflow_runtime_p95_s;
    std::optional<double> llm_latency_p95_s;
    std::size_t items = 0;
    std::vector<Error> failures;  // one a failed item
    std::size_t degraded = 0;     // items that ended without an error although model calls of theirs failed
    std::size_t answered_calls = 0;
    std::vector<Error> failed_calls;
    struct EvaluatorLine {
        std::string name;
        std::optional<double> average;
        std::string file;
    };
    std::vector<EvaluatorLine> evaluators;
};

// How many model calls failed and what that cost the items that ended all the same; empty when none of these is degraded.
std::string render_degraded(const Summary& summary);

// NAT's console summary, and below the status how many items failed and of what, when any did, and how many are degraded. Ends with a
// newline.
std::string render_summary(const Summary& summary);

}  // namespace plimsoll::eval
