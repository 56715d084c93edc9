// Does the report get worse under load? What an evaluator says of the same questions at several concurrencies.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "forecast/sample_summary.h"

namespace plimsoll::forecast {

// Of one evaluator: the session's id and what it scored. Sessions that failed have no score.
using SessionScores = std::map<std::string, double>;

// The numbers of the object under `key`; whatever else is there is passed over.
SessionScores parse_scores(const json::value& object, std::string_view key);

// Over sessions.
SampleSummary summarise_scores(const SessionScores& scores);

struct ScoredLevel {
    int concurrency = 0;
    const SessionScores* scores = nullptr;
};

// A straight line over the doublings of the concurrency with a level of its own for each question, by least squares, so that
// a level that had other questions does not look better or worse. The interval is Student's t of its slope.
struct ScoreTrend {
    std::string evaluator;
    int better = 1;                    // 1: higher scores are better, -1: lower ones, 0: neither
    double change = 0;                 // of the score with each doubling
    std::optional<Interval> interval;  // 95 %; nothing when too little was asked at two levels
    int sessions = 0, questions = 0;   // of questions that were asked at two levels or more

    enum class Verdict : std::uint8_t { better, worse, rises, falls, no_evidence, unknown };
    Verdict verdict() const;
};
std::string_view to_string(ScoreTrend::Verdict verdict);

ScoreTrend compute_score_trend(std::string evaluator, int better, const std::vector<ScoredLevel>& levels);

// "grounded: worse under load. It falls by 0.08 (0.03 to 0.13) with each doubling …" A whole sentence.
std::string describe(const ScoreTrend& trend);

// "run2/q7_rep1" is the second time of question "q7", in the second run.
std::string question_of(std::string_view session_id);

}  // namespace plimsoll::forecast
