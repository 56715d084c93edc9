#include "profile/prefix_span.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>
#include <unordered_map>

#include "profile/call_tree.h"
#include "profile/pattern_miner.h"
#include "profile/utf8.h"

namespace plimsoll::profile {
namespace {

constexpr double kDefaultSupport = 2;  // sessions, when the file says nothing
constexpr MinerLimits kLimits{kMaxMinedPatterns, kMaxPatternLength, kMaxScannedCalls, kMaxLiveMatches};

bool has_start(const event::Span& span) { return span.end_step != span.start_step; }

std::string token_of(const event::Span& span) { return fmt::format("{}:{}", event::to_string(span.category), span.name); }

std::string shorten_prompt(std::string_view prompt, int max_text_len, const ModelPrefixes* model) {
    std::string text(prompt);
    if (model) {
        std::size_t longest = 0;
        for (const auto& prefix : model->prefixes)
            if (prompt.starts_with(prefix.text)) longest = std::max(longest, prefix.text.size());
        if (longest > 0) text.replace(0, longest, "<common_prefix>");
    }
    text = first_code_points(text, static_cast<std::size_t>(std::max(0, max_text_len)));
    std::ranges::replace(text, '\n', ' ');
    return text;
}

struct Alphabet {
    std::unordered_map<std::string_view, std::uint32_t> numbers;
    std::vector<std::string_view> tokens;
};

// `alphabet` keeps views of the sequences' tokens.
std::vector<MinerSequence> number_tokens(const std::vector<CallSequence>& sequences, Alphabet& alphabet) {
    std::vector<MinerSequence> numbered;
    numbered.reserve(sequences.size());
    for (const auto& sequence : sequences) {
        auto& items = numbered.emplace_back();
        items.reserve(sequence.items.size());
        for (const auto& item : sequence.items) {
            const auto [place, added] = alphabet.numbers.try_emplace(item.token, static_cast<std::uint32_t>(alphabet.tokens.size()));
            if (added) alphabet.tokens.push_back(item.token);
            items.push_back({place->second, item.duration});
        }
    }
    return numbered;
}

std::size_t absolute_support(const PrefixSpanSettings& settings, std::size_t sessions, SupportRule rule) {
    const double support = settings.min_support.value_or(kDefaultSupport);
    const bool share = settings.min_support && (rule == SupportRule::always_share || support < 1);
    return static_cast<std::size_t>(std::max(1.0, share ? std::nearbyint(support * static_cast<double>(sessions)) : std::ceil(support)));
}

struct Pattern {
    std::vector<std::uint32_t> tokens;
    std::size_t frequency = 0;
    double coverage = 0;
    double mean_duration = 0;
    std::vector<std::size_t> sessions;  // that contain it without gaps
};

// Indices into `mined`, best first.
std::vector<std::size_t> choose_best(const std::vector<MinedPattern>& mined, const PrefixSpanSettings& settings, std::size_t sessions) {
    const double min_coverage = settings.min_coverage.value_or(0);
    std::vector<std::size_t> chosen;
    for (std::size_t i = 0; i < mined.size(); ++i)
        if (static_cast<double>(mined[i].covered) / static_cast<double>(sessions) >= min_coverage) chosen.push_back(i);
    std::ranges::stable_sort(chosen, std::greater(),
                             [&](std::size_t i) { return std::tuple(mined[i].frequency, mined[i].covered, mined[i].mean_duration); });
    chosen.resize(std::min({chosen.size(), static_cast<std::size_t>(std::max(0, settings.top_k)), kMaxReportedPatterns}));
    return chosen;
}

bool contains_run(const MinerSequence& sequence, const std::vector<std::uint32_t>& tokens) {
    return !std::ranges::search(sequence, tokens, {}, &MinerItem::token).empty();
}

Pattern describe(const std::vector<MinedPattern>& mined, std::size_t index, const std::vector<CallSequence>& sequences,
                 const std::vector<MinerSequence>& numbered) {
    Pattern pattern{.frequency = mined[index].frequency, .mean_duration = mined[index].mean_duration};
    pattern.coverage = static_cast<double>(mined[index].covered) / static_cast<double>(sequences.size());
    for (std::optional<std::size_t> at = index; at; at = mined[*at].parent) pattern.tokens.push_back(mined[*at].token);
    std::ranges::reverse(pattern.tokens);
    for (std::size_t i = 0; i < numbered.size(); ++i)
        if (contains_run(numbered[i], pattern.tokens)) pattern.sessions.push_back(sequences[i].session);
    return pattern;
}

// Numbers as Python shows them: what the file gives is a float, the built-in default an integer.
std::string show(const std::optional<double>& given, std::string_view fallback) {
    return given ? to_compact_json(*given) : std::string(fallback);
}

std::string make_report(const std::vector<Pattern>& patterns, const Alphabet& alphabet, std::size_t sessions,
                        const PrefixSpanSettings& settings) {
    std::string out = "=== PrefixSpan Sub-Workflow Mining w/ LLM Text ===\n";
    const auto to = std::back_inserter(out);
    fmt::format_to(to, "Total examples: {}\nmin_support={}, top_k={}, min_coverage={}, max_text_len={}\nPatterns discovered: {}\n",
                   sessions, show(settings.min_support, "2"), settings.top_k, show(settings.min_coverage, "0"), settings.max_text_len,
                   patterns.size());
    for (std::size_t i = 0; i < patterns.size(); ++i) {
        const Pattern& pattern = patterns[i];
        std::vector<std::string_view> tokens;
        for (const auto token : pattern.tokens) tokens.push_back(alphabet.tokens[token]);
        fmt::format_to(to, "\n{}) Pattern: {}\n   Frequency: {}\n   Coverage: {:.2f}  (appears in {} examples)\n", i + 1,
                       fmt::join(tokens, " -> "), pattern.frequency, pattern.coverage, pattern.sessions.size());
        fmt::format_to(to, "   Avg Duration: {:.2f} seconds\n   Examples containing: [{}]\n", pattern.mean_duration,
                       fmt::join(pattern.sessions, ", "));
    }
    out.pop_back();
    return out;
}

json::array to_json(const std::vector<Pattern>& patterns, const Alphabet& alphabet) {
    json::array out;
    for (const auto& pattern : patterns) {
        json::array tokens;
        for (const auto token : pattern.tokens) tokens.emplace_back(alphabet.tokens[token]);
        out.push_back({{"pattern", std::move(tokens)},
                       {"frequency", pattern.frequency},
                       {"coverage", pattern.coverage},
                       {"average_duration", pattern.mean_duration},
                       {"examples_containing", json::array(pattern.sessions.begin(), pattern.sessions.end())}});
    }
    return out;
}

}  // namespace

std::vector<CallSequence> make_sequences(const TraceView& view, int max_text_len, const std::map<std::string, ModelPrefixes>& prefixes) {
    std::vector<CallSequence> sequences;
    for (std::size_t session = 0; session < view.spans.size(); ++session) {
        if (view.sessions[session].steps.empty()) continue;
        auto& sequence = sequences.emplace_back();
        sequence.session = session;
        for (const auto& span : view.spans[session].spans) {
            if (!is_operation(span.category) || !span.finished) continue;
            std::string token = token_of(span);
            const auto& data = view.sessions[session].steps[span.start_step].payload.data;
            if (span.category == event::Category::llm && data) {
                const auto model = prefixes.find(span.name);
                const auto text =
                    shorten_prompt(to_plain_text(data->input), max_text_len, model == prefixes.end() ? nullptr : &model->second);
                if (!text.empty()) token += "|" + text;
            }
            sequence.items.push_back({std::move(token), latency(span)});
        }
    }
    return sequences;
}

std::vector<CallSequence> make_nat_sequences(const TraceView& view, int max_text_len) {
    std::vector<CallSequence> sequences;
    for (std::size_t session = 0; session < view.spans.size(); ++session) {
        if (view.sessions[session].steps.empty()) continue;
        auto& sequence = sequences.emplace_back();
        sequence.session = session;
        std::vector<event::Step> steps;
        for (const auto& step : view.sessions[session].steps)
            if (is_operation(step.payload.event_type.category)) steps.push_back(step);
        std::ranges::stable_sort(steps, {}, [](const event::Step& step) { return step.payload.event_timestamp; });
        const event::SpanList pairs = event::pair_spans(steps);
        std::vector<const event::Span*> spans;
        for (const auto& span : pairs.spans)
            if (is_operation(span.category) && span.finished && has_start(span)) spans.push_back(&span);
        std::ranges::stable_sort(spans, {}, [](const event::Span* span) { return std::tuple(span->start, span->end_step); });
        for (const event::Span* span : spans) {
            const std::string_view unknown = span->category == event::Category::llm ? "unknown_llm" : "unknown_tool";
            sequence.items.push_back({token_of(*span), latency(*span)});
            std::string& token = sequence.items.back().token;
            if (span->name.empty()) token += unknown;
            const event::Payload& start = steps[span->start_step].payload;
            const bool keeps_prompt = span->category == event::Category::llm && start.data && !start.data->input.is_null() &&
                                      steps[*span->end_step].payload.event_type.category != event::Category::llm;
            if (!keeps_prompt) continue;
            const std::string text = shorten_prompt(to_python_text(start.data->input), max_text_len, nullptr);
            if (!text.empty()) token += "|" + text;
        }
    }
    return sequences;
}

AnalysisOutput analyse_prefix_span(const std::vector<CallSequence>& sequences, const PrefixSpanSettings& settings, SupportRule rule) {
    Alphabet alphabet;
    const auto numbered = number_tokens(sequences, alphabet);
    const auto mined = mine_patterns(numbered, alphabet.tokens.size(), absolute_support(settings, sequences.size(), rule), kLimits);
    std::vector<Pattern> patterns;
    for (const std::size_t i : choose_best(mined.list, settings, sequences.size()))
        patterns.push_back(describe(mined.list, i, sequences, numbered));

    AnalysisOutput output;
    output.metrics["patterns"] = to_json(patterns, alphabet);
    if (mined.list.empty())
        output.report = "No frequent patterns found by PrefixSpan with the given min_support.";
    else if (patterns.empty())
        output.report = "No patterns passed coverage/duration thresholds.";
    else
        output.report = make_report(patterns, alphabet, sequences.size(), settings);
    if (mined.cut) {
        output.metrics["plimsoll"] = {{"mining_cut", true}, {"patterns_mined", mined.list.size()}};
        output.report += fmt::format("\n\nMining was cut after {} patterns; longer or rarer ones may be missing.", mined.list.size());
    }
    return output;
}

}  // namespace plimsoll::profile
