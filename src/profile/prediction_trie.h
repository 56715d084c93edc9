// What a serving stack can expect of the next LLM calls, by their place in the workflow: calls that remain, time until the next,
// tokens of the answer, and how latency sensitive the call is (NAT 1.9.0, prediction trie).
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "profile/call_sensitivity.h"
#include "profile/profiler_config.h"
#include "profile/text_pool.h"

namespace plimsoll::profile {

struct SampleSummary {
    std::size_t sample_count = 0;
    double mean = 0, p50 = 0, p90 = 0, p95 = 0;  // zeros without samples
};

struct Prediction {
    SampleSummary remaining_calls;
    SampleSummary interarrival_ms;  // end of the call to the next start in the session; fewer samples where none follows
    SampleSummary output_tokens;
    std::optional<int> latency_sensitivity;  // 1 … sensitivity_scale; nothing when nobody asked for it
};

struct TrieNode {
    std::string name;  // "root" or a function
    std::map<int, Prediction> by_call_index;
    std::optional<Prediction> any_index;
    std::map<std::string, TrieNode> children;
};

// Where a call's start comes from: from its span_event_timestamp alone (NAT: a call that lacks it has started at 0 and took
// no time), or from the START with its UUID where that is missing.
enum class CallStarts : std::uint8_t { paired, recorded };

// A path is at most the calling function and the function of the call. The call index counts the calls of one function id, from 1.
class PredictionTrie {
  public:
    explicit PredictionTrie(const PredictionTrieSettings& settings, CallStarts starts = CallStarts::paired)
        : settings_(settings), starts_(starts) {}

    // A session that took so long. `siblings` are the spans that may have run beside its calls.
    void add(const std::vector<event::Step>& steps, const std::vector<event::Span>& siblings, double session_seconds);
    TrieNode build() const;

  private:
    struct Sample {
        std::uint32_t caller, function;  // names; kNoName: no caller
        std::int32_t index;
        std::uint32_t remaining;
        double interarrival_ms;  // NaN: no call follows
        double output_tokens;
        double sensitivity;  // NaN: nobody asked for it
    };
    static constexpr std::uint32_t kNoName = std::numeric_limits<std::uint32_t>::max();
    using Picked = std::vector<std::uint32_t>;  // of the samples, in their order

    Prediction predict(const Picked& picked) const;
    TrieNode build_node(std::string name, const Picked& picked, int depth) const;

    PredictionTrieSettings settings_;
    CallStarts starts_;
    NamePool names_;
    std::vector<Sample> samples_;
};

// Of the deepest node on the path that knows something of this index, or of any. Null when the trie is empty.
const Prediction* find_prediction(const TrieNode& root, std::span<const std::string> path, int call_index);

// The file. `generated_at` is ISO 8601.
json::object to_json(const TrieNode& root, std::string_view generated_at);

// Seconds since the epoch, those of the last step, so that the same traces give the same file: "2026-11-22T23:21:37.618624+00:00".
std::string format_time(double time);

}  // namespace plimsoll::profile
