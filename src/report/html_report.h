// One self-contained HTML file: pictures inline as SVG, no script, nothing fetched. It renders what it is given and
// computes nothing.
//
//   ReportView view;
//   add_profile(view, profile::profile(input, config));   // facts, findings and the sections of a profiled run
//   save_file("report.html", render_html(view));
//
// Its size is bounded whatever the run's: pictures cap what they draw and tables their rows, and say so.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "profile/profiler.h"
#include "report/html_table.h"
#include "report/picture.h"

namespace plimsoll::report {

struct Fact {
    std::string value;  // "12.3 s"
    std::string label;  // "p95 workflow runtime"
};

// What a session was about.
struct SessionText {
    std::string question;
    std::string answer;  // Markdown as the session returned it
};

struct SizingView {
    std::vector<std::string> statements;  // how far that extrapolates, held-out error, sample sizes
    std::vector<Picture> pictures;
    TableView legs;
    // The machine during each run, by what the run was called.
    struct Watched {
        std::string title;
        std::vector<Picture> pictures;
    };
    std::vector<Watched> watched;
};
// Runs whose machine a page shows; the rest are counted.
inline constexpr std::size_t kMaxWatchedRuns = 40;

// A load run: what it reached over time, and how long things took.
struct LoadRunView {
    std::vector<std::string> statements;
    std::vector<Picture> pictures;
    TableView times;
    TableView checks;
    TableView errors;
};

// What is to be expected of many users, from what was measured with few.
struct ForecastView {
    std::vector<std::string> statements;
    std::vector<Picture> pictures;
    TableView table;
};

struct ReportView {
    std::string title;
    std::string headline;
    std::vector<Fact> facts;
    std::optional<SizingView> sizing;
    std::optional<ForecastView> forecast;
    std::optional<LoadRunView> load;
    std::vector<std::string> findings;  // sentences, most important first
    std::optional<profile::ProfileResult> profile;
    std::map<std::size_t, SessionText> session_texts;  // by index in the run
    event::SkipReport skipped;                         // of the profile's files
    std::vector<Fact> about;                           // config file, date, version, machine
};

// Keeps `profile` for the page and says the most important of it in facts and findings.
void add_profile(ReportView& view, profile::ProfileResult profile);

std::string render_html(const ReportView& view);

}  // namespace plimsoll::report
