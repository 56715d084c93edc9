// One self-contained HTML file: pictures inline as SVG, no script, nothing fetched. It renders what it is given and
// computes nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/sizing_plots.h"
#include "report/waterfall.h"

namespace plimsoll::report {

struct TableView {
    std::vector<std::string> head;
    std::vector<std::vector<std::string>> rows;
    std::size_t text_columns = 1;  // so many from the left are text, the rest numbers set to the right
};

struct Fact {
    std::string value;  // "12.3 s"
    std::string label;  // "p95 workflow runtime"
};

struct SessionView {
    std::string title;  // the question
    std::vector<Bar> bars;
    std::string answer;  // Markdown as the session returned it
};

struct StepLatencyView {
    std::string name;  // "LLM smollm2"
    event::Category category = event::Category::llm;
    double p50 = 0, p95 = 0;  // seconds
};

struct SizingView {
    std::vector<MetricView> metrics;
    TableView legs;
    std::vector<std::string> statements;  // how far that extrapolates, held-out error, sample sizes
};

// A load run: what it reached over time, and how long things took.
struct LoadRunView {
    std::vector<std::string> statements;
    std::vector<Plot> plots;
    TableView times;
    TableView checks;
    TableView errors;
};

struct ReportView {
    std::string title;
    std::string headline;
    std::vector<Fact> facts;
    std::optional<SizingView> sizing;
    std::optional<LoadRunView> load;
    std::optional<SessionView> session;
    std::vector<StepLatencyView> step_latencies;
    TableView step_table;
    std::vector<std::string> findings;  // sentences, most important first
    std::vector<Fact> about;            // config file, date, version, machine
};

std::string render_html(const ReportView& view);

}  // namespace plimsoll::report
