// Sequences of calls that recur across sessions (NAT 1.9.0, PrefixSpan sub-workflow mining; Pei et al., "PrefixSpan", ICDE 2001).
#pragma once

#include <string>
#include <vector>

#include "profile/analysis_output.h"
#include "profile/common_prefixes.h"
#include "profile/profiler_config.h"

namespace plimsoll::profile {

// One session's calls in the order of their start.
struct CallSequence {
    std::size_t session = 0;  // index in the run
    struct Item {
        std::string token;  // "LLM:model", "LLM:model|prompt" or "TOOL:name"
        double duration = 0;
    };
    std::vector<Item> items;
};

// Mining stops at whichever comes first, says so in the report and in `plimsoll.mining_cut`, and reports what was found until then.
inline constexpr std::size_t kMaxMinedPatterns = 200'000;
inline constexpr std::size_t kMaxPatternLength = 1000;
inline constexpr std::size_t kMaxScannedCalls = 1'000'000'000;  // time: a few seconds
inline constexpr std::size_t kMaxLiveMatches = 20'000'000;      // memory: 16 to 32 bytes each

// However large top_k is.
inline constexpr std::size_t kMaxReportedPatterns = 10'000;

// Finished LLM and tool calls. A prompt stands behind its model: whole where it begins with one of `prefixes`, which then is
// written <common_prefix>; cut to `max_text_len` code points, line ends as spaces. 0 leaves prompts out.
std::vector<CallSequence> make_sequences(const TraceView& view, int max_text_len, const std::map<std::string, ModelPrefixes>& prefixes);

// NAT's: sessions with steps, calls with a START and an END by UUID, and no prompt, since the empty one of the LLM_END wins (a
// prompt stays only where a TOOL_END with the same UUID ended the call).
std::vector<CallSequence> make_nat_sequences(const TraceView& view, int max_text_len);

// min_support below 1 is a share of the sessions, otherwise a number of them; NAT takes every number that is written in the
// file for a share, so that 4 asks for four times the sessions there are.
enum class SupportRule : std::uint8_t { count_from_one, always_share };

// Patterns may have gaps; frequency counts the sessions that contain one. Coverage and duration are of matches without gaps. By
// frequency, coverage, mean duration; the first top_k.
AnalysisOutput analyse_prefix_span(const std::vector<CallSequence>& sequences, const PrefixSpanSettings& settings,
                                   SupportRule rule = SupportRule::count_from_one);

}  // namespace plimsoll::profile
