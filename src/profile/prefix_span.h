// Sequences of calls that recur across sessions (NAT 1.9.0, PrefixSpan sub-workflow mining; Pei et al., "PrefixSpan", ICDE 2001).
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "event/span.h"
#include "profile/analysis_output.h"
#include "profile/common_prefixes.h"
#include "profile/pattern_miner.h"
#include "profile/profiler_config.h"
#include "profile/text_pool.h"

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

// Of the texts of tokens that have been met in one session, and as many again of those met in several. A token whose text found no room
// is in no pattern; they are counted in `plimsoll.tokens_left_out`.
inline constexpr std::size_t kMaxTokenBytes = std::size_t{64} << 20;

// However large top_k is.
inline constexpr std::size_t kMaxReportedPatterns = 10'000;
// Of the sessions that contain a pattern so many are listed, unless the list is to be NAT's; `plimsoll.examples` has their number then.
inline constexpr std::size_t kMaxListedExamples = 1000;

// Finished LLM and tool calls. A prompt stands behind its model: whole where it begins with one of `prefixes`, which then is
// written <common_prefix>; cut to `max_text_len` code points, line ends as spaces. 0 leaves prompts out. `spans` are those of the steps.
CallSequence make_sequence(const std::vector<event::Step>& steps, const event::SpanList& spans, int max_text_len,
                           const std::map<std::string, ModelPrefixes>& prefixes);

// NAT's: calls with a START and an END by UUID, and no prompt, since the empty one of the LLM_END wins (a
// prompt stays only where a TOOL_END with the same UUID ended the call).
CallSequence make_nat_sequence(const std::vector<event::Step>& steps, int max_text_len);

// min_support below 1 is a share of the sessions, otherwise a number of them; NAT takes every number that is written in the
// file for a share, so that 4 asks for four times the sessions there are.
enum class SupportRule : std::uint8_t { count_from_one, always_share };

// The sequences of a run: a number for each call, and the texts of the tokens that may come to be in a pattern. Tokens are told apart by 64
// bits of a hash.
class CallSequences {
  public:
    explicit CallSequences(std::size_t max_token_bytes = kMaxTokenBytes) : max_token_bytes_(max_token_bytes) {}

    void add(const CallSequence& sequence);

    // Patterns may have gaps; frequency counts the sessions that contain one. Coverage and duration are of matches without gaps. By
    // frequency, coverage, mean duration; the first top_k. The last call: tokens that are too rare become one.
    struct Rules {
        SupportRule support = SupportRule::count_from_one;
        std::size_t listed_examples = kMaxListedExamples;
    };
    void analyse(const PrefixSpanSettings& settings, const Rules& rules, const AnalysisOutput& output);

  private:
    struct Token {
        std::uint32_t sessions = 0;  // that have it
        std::uint32_t last_session = kNoSession;
        TextPool::Id text = kNoText;
    };
    static constexpr std::uint32_t kNoSession = std::numeric_limits<std::uint32_t>::max();
    static constexpr TextPool::Id kNoText = std::numeric_limits<TextPool::Id>::max();

    std::uint32_t count_token(std::string_view text, std::uint32_t sequence);
    std::size_t number_anew(std::size_t min_support);

    std::size_t max_token_bytes_;
    MinerSequences sequences_;
    std::vector<std::uint32_t> sessions_;  // of the sequences
    std::unordered_map<std::size_t, std::uint32_t> numbers_;
    std::vector<Token> tokens_;
    TextPool texts_;
    std::size_t single_bytes_ = 0, several_bytes_ = 0;
    std::vector<std::string_view> alphabet_;  // of the tokens that are frequent enough
};

}  // namespace plimsoll::profile
