#include "profile/prefix_span.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "profile/run_graph.h"
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
    std::size_t containing = 0;         // sessions, without gaps
    std::vector<std::size_t> sessions;  // the first of them
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

bool contains_run(std::span<const MinerItem> sequence, const std::vector<std::uint32_t>& tokens) {
    return !std::ranges::search(sequence, tokens, {}, &MinerItem::token).empty();
}

Pattern describe(const std::vector<MinedPattern>& mined, std::size_t index, const MinerSequences& sequences,
                 const std::vector<std::uint32_t>& session_of, std::size_t listed) {
    Pattern pattern{.frequency = mined[index].frequency, .mean_duration = mined[index].mean_duration};
    pattern.coverage = static_cast<double>(mined[index].covered) / static_cast<double>(sequences.size());
    for (std::optional<std::size_t> at = index; at; at = mined[*at].parent) pattern.tokens.push_back(mined[*at].token);
    std::ranges::reverse(pattern.tokens);
    for (std::size_t i = 0; i < sequences.size(); ++i) {
        if (!contains_run(sequences[i], pattern.tokens)) continue;
        ++pattern.containing;
        if (pattern.sessions.size() < listed) pattern.sessions.push_back(session_of[i]);
    }
    return pattern;
}

using Alphabet = std::vector<std::string_view>;

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
        for (const auto token : pattern.tokens) tokens.push_back(alphabet[token]);
        fmt::format_to(to, "\n{}) Pattern: {}\n   Frequency: {}\n   Coverage: {:.2f}  (appears in {} examples)\n", i + 1,
                       fmt::join(tokens, " -> "), pattern.frequency, pattern.coverage, pattern.containing);
        fmt::format_to(to, "   Avg Duration: {:.2f} seconds\n   Examples containing: [{}{}]\n", pattern.mean_duration,
                       fmt::join(pattern.sessions, ", "), pattern.containing > pattern.sessions.size() ? ", …" : "");
    }
    out.pop_back();
    return out;
}

json::array to_json(const std::vector<Pattern>& patterns, const Alphabet& alphabet) {
    json::array out;
    for (const auto& pattern : patterns) {
        json::array tokens;
        for (const auto token : pattern.tokens) tokens.emplace_back(alphabet[token]);
        json::object entry = {{"pattern", std::move(tokens)},
                              {"frequency", pattern.frequency},
                              {"coverage", pattern.coverage},
                              {"average_duration", pattern.mean_duration},
                              {"examples_containing", json::array(pattern.sessions.begin(), pattern.sessions.end())}};
        if (pattern.containing > pattern.sessions.size()) entry["plimsoll"] = {{"examples", pattern.containing}};
        out.push_back(std::move(entry));
    }
    return out;
}

}  // namespace

CallSequence make_sequence(const std::vector<event::Step>& steps, const event::SpanList& spans, int max_text_len,
                           const std::map<std::string, ModelPrefixes>& prefixes) {
    CallSequence sequence;
    for (const auto& span : spans.spans) {
        if (!is_operation(span.category) || !span.finished) continue;
        std::string token = token_of(span);
        const auto& data = steps[span.start_step].payload.data;
        if (span.category == event::Category::llm && data) {
            const auto model = prefixes.find(span.name);
            const auto text = shorten_prompt(to_plain_text(data->input), max_text_len, model == prefixes.end() ? nullptr : &model->second);
            if (!text.empty()) token += "|" + text;
        }
        sequence.items.push_back({std::move(token), latency(span)});
    }
    return sequence;
}

CallSequence make_nat_sequence(const std::vector<event::Step>& all_steps, int max_text_len) {
    CallSequence sequence;
    std::vector<event::Step> steps;
    for (const auto& step : all_steps)
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
    return sequence;
}

void CallSequences::add(const CallSequence& sequence) {
    const auto number = static_cast<std::uint32_t>(sequences_.size());
    std::vector<MinerItem> items;
    items.reserve(sequence.items.size());
    for (const auto& item : sequence.items) items.push_back({count_token(item.token, number), item.duration});
    sequences_.add(items);
    sessions_.push_back(static_cast<std::uint32_t>(sequence.session));
}

// A token of one session is in no pattern unless a single session is support enough; its text is at hand again whenever it recurs.
std::uint32_t CallSequences::count_token(std::string_view text, std::uint32_t sequence) {
    const auto [found, is_new] = numbers_.try_emplace(std::hash<std::string_view>()(text), static_cast<std::uint32_t>(tokens_.size()));
    if (is_new) tokens_.emplace_back();
    Token& token = tokens_[found->second];
    if (token.last_session != sequence) ++token.sessions;
    token.last_session = sequence;
    std::size_t& bytes = token.sessions > 1 ? several_bytes_ : single_bytes_;
    if (token.text == kNoText && bytes + text.size() <= max_token_bytes_) {
        token.text = texts_.add(text);
        bytes += text.size();
    }
    return found->second;
}

// Frequent tokens get numbers from 0, all others kRareToken. How many are frequent and have no text.
std::size_t CallSequences::number_anew(std::size_t min_support) {
    std::size_t without_text = 0;
    std::vector<std::uint32_t> numbers(tokens_.size(), kRareToken);
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
        if (tokens_[i].sessions < min_support) continue;
        if (tokens_[i].text == kNoText) {
            ++without_text;
            continue;
        }
        numbers[i] = static_cast<std::uint32_t>(alphabet_.size());
        alphabet_.push_back(texts_[tokens_[i].text]);
    }
    for (MinerItem& item : sequences_.items()) item.token = numbers[item.token];
    numbers_ = {};
    tokens_ = {};
    return without_text;
}

void CallSequences::analyse(const PrefixSpanSettings& settings, const Rules& rules, const AnalysisOutput& output) {
    const std::size_t min_support = absolute_support(settings, sequences_.size(), rules.support);
    const std::size_t left_out = number_anew(min_support);
    const auto mined = mine_patterns(sequences_, alphabet_.size(), min_support, kLimits);
    std::vector<Pattern> patterns;
    for (const std::size_t i : choose_best(mined.list, settings, sequences_.size()))
        patterns.push_back(describe(mined.list, i, sequences_, sessions_, rules.listed_examples));

    output.metrics.begin_object();
    output.metrics.member("patterns", to_json(patterns, alphabet_));
    if (mined.list.empty())
        output.report.append("No frequent patterns found by PrefixSpan with the given min_support.");
    else if (patterns.empty())
        output.report.append("No patterns passed coverage/duration thresholds.");
    else
        output.report.append(make_report(patterns, alphabet_, sequences_.size(), settings));
    json::object cuts;
    if (mined.cut) {
        cuts = {{"mining_cut", true}, {"patterns_mined", mined.list.size()}};
        output.report.append(fmt::format("\n\nMining was cut after {} patterns; longer or rarer ones may be missing.", mined.list.size()));
    }
    if (left_out > 0) cuts["tokens_left_out"] = left_out;
    if (!cuts.empty()) output.metrics.member("plimsoll", cuts);
    output.metrics.end();
}

}  // namespace plimsoll::profile
