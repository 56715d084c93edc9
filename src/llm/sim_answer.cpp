#include "llm/sim_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "llm/sim_schema.h"

namespace plimsoll::llm {
namespace {

constexpr std::size_t kLettersPerToken = 6;
constexpr int kTokensPerMessage = 4;  // what a chat template adds: role and separators
constexpr int kUsualSources = 3;      // cited when the prompt numbers none
constexpr int kMaxSources = 99;
constexpr std::size_t kSentencesPerParagraph = 4;

constexpr std::string_view kThoughts =
    "The request names a topic and asks for a structured answer. I weigh the sources against each other first, then write.";

// {} takes the number of a source.
constexpr std::array<std::string_view, 12> kSentences = {
    "The sources agree on the main point, although they measure it in different ways [{}].",
    "Early work set the terms that later studies still use [{}].",
    "Cost fell while quality rose, which made new uses affordable [{}].",
    "A controlled comparison shows a smaller effect than the first reports did [{}].",
    "Practitioners name reliability, not speed, as the open problem [{}].",
    "The largest gains came from simple changes to the workflow [{}].",
    "Results differ between small and large installations [{}].",
    "Two independent groups reproduced the central finding [{}].",
    "The evidence on long-term effects is thin [{}].",
    "Where data were shared, errors were found and corrected sooner [{}].",
    "Energy use grows with demand unless batches are kept full [{}].",
    "What remains is to test the approach outside the laboratory [{}]."};
constexpr std::array<std::string_view, 4> kHeadings = {"# Report", "## Findings", "## Limits", "## Outlook"};

bool is_space(unsigned char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
bool is_letter(unsigned char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c >= 0x80; }
bool continues_character(unsigned char c) { return (c & 0xc0) == 0x80; }

// The largest k of "[k]" in the prompt, so that a report cites only what it was given.
int count_sources(std::string_view prompt) {
    int highest = 0;
    for (std::size_t at = prompt.find('['); at != prompt.npos; at = prompt.find('[', at + 1)) {
        int number = 0;
        std::size_t i = at + 1;
        while (i < prompt.size() && prompt[i] >= '0' && prompt[i] <= '9' && number <= kMaxSources)
            number = number * 10 + (prompt[i++] - '0');
        if (i < prompt.size() && prompt[i] == ']' && number <= kMaxSources) highest = std::max(highest, number);
    }
    return highest > 0 ? highest : kUsualSources;
}

std::string write_report(int sources, std::size_t tokens) {
    constexpr std::size_t kTokensPerSentence = 10;  // every sentence has more, so this many are enough
    const std::size_t sentences = tokens / kTokensPerSentence + 1;
    std::string report;
    for (std::size_t i = 0; i < sentences; ++i) {
        const std::size_t paragraph = i / kSentencesPerParagraph;
        const bool first = i % kSentencesPerParagraph == 0;
        if (first && paragraph > 0) report += "\n\n";
        // Headings for the first ones; a longer report goes on in paragraphs.
        if (first && paragraph < kHeadings.size()) fmt::format_to(std::back_inserter(report), "{}\n\n", kHeadings[paragraph]);
        if (!first) report += ' ';
        fmt::format_to(std::back_inserter(report), fmt::runtime(kSentences[i % kSentences.size()]),
                       i % static_cast<std::size_t>(sources) + 1);
    }
    return report;
}

Result<std::string> write_json(const SimRequest& request) {
    if (!request.schema) return std::string(R"({"answer":"The sources agree on the main point."})");
    const auto instance = make_schema_instance(*request.schema);
    if (!instance) return fail(instance.error());
    return to_compact_json(*instance);
}

// Names of a parameter that takes what the user asked.
constexpr std::array<std::string_view, 6> kQuestions = {"query", "question", "input", "text", "input_message", "topic"};
constexpr std::size_t kMaxQuestionBytes = 400;

Result<std::string> write_arguments(const SimRequest& request, std::string_view name) {
    const auto tool = std::ranges::find(request.tools, name, &SimTool::name);
    if (tool == request.tools.end() || !tool->parameters.is_object()) return std::string("{}");
    auto instance = make_schema_instance(tool->parameters);
    if (!instance) return fail(instance.error());
    if (!instance->is_object()) return to_compact_json(*instance);
    std::string question = request.last_user.substr(0, kMaxQuestionBytes);
    while (request.last_user.size() > question.size() && !question.empty() &&
           continues_character(static_cast<unsigned char>(request.last_user[question.size()])))
        question.pop_back();
    for (auto& [key, value] : instance->get_object())
        if (value.is_string() && std::ranges::find(kQuestions, std::string_view(key)) != kQuestions.end()) value = question;
    return to_compact_json(*instance);
}

// Empty: an answer in words.
std::string choose_tool(const SimRequest& request, const SimRule* rule) {
    if (rule && !rule->tool.empty()) return rule->tool;
    return request.tool && !(rule && rule->reply) ? request.tools[*request.tool].name : "";
}

}  // namespace

std::string_view SimAnswer::token(std::size_t index) const {
    const std::size_t begin = index == 0 ? 0 : ends[index - 1];
    return std::string_view(text).substr(begin, ends[index] - begin);
}

std::vector<std::uint32_t> split_sim_tokens(std::string_view text, std::size_t limit) {
    std::vector<std::uint32_t> ends;
    std::size_t i = 0;
    while (i < text.size() && ends.size() < limit) {
        while (i < text.size() && is_space(static_cast<unsigned char>(text[i]))) ++i;
        const std::size_t begin = i;
        while (i < text.size() && is_letter(static_cast<unsigned char>(text[i])) && i - begin < kLettersPerToken) ++i;
        if (i == begin && i < text.size()) ++i;
        while (i < text.size() && continues_character(static_cast<unsigned char>(text[i]))) ++i;
        ends.push_back(static_cast<std::uint32_t>(i));
    }
    return ends;
}

Result<SimAnswer> make_sim_answer(const SimRequest& request, const SimRule* rule, int tokens) {
    SimAnswer answer;
    const std::int64_t limit = std::min(request.max_tokens.value_or(kMaxSimTokens), kMaxSimTokens);
    const bool exact = request.ignore_eos && request.max_tokens;
    std::int64_t wanted = exact ? limit : tokens;
    answer.tool = choose_tool(request, rule);
    if (rule && rule->reply) {
        answer.text = *rule->reply;
        wanted = kMaxSimTokens;
    } else if (!answer.tool.empty()) {
        auto text = write_arguments(request, answer.tool);
        if (!text) return fail(text.error());
        answer.text = std::move(*text);
        wanted = kMaxSimTokens;
    } else if (request.wants_json && !exact) {
        auto text = write_json(request);
        if (!text) return fail(text.error());
        answer.text = std::move(*text);
        wanted = kMaxSimTokens;
    } else {
        answer.text = write_report(count_sources(request.prompt), static_cast<std::size_t>(std::min(wanted, limit)));
        const auto ends = split_sim_tokens(answer.text, static_cast<std::size_t>(wanted));
        if (std::ssize(ends) == wanted) answer.text.resize(ends.empty() ? 0 : ends.back());
    }
    const std::string_view thoughts = rule && !rule->think.empty() ? std::string_view(rule->think) : request.thinking ? kThoughts : "";
    if (!thoughts.empty() && answer.tool.empty()) answer.text = fmt::format("<think>\n{}\n</think>\n\n{}", thoughts, answer.text);
    for (const auto& stop : request.stop)
        if (const auto at = answer.text.find(stop); at != answer.text.npos && !exact && answer.tool.empty()) answer.text.resize(at);
    answer.ends = split_sim_tokens(answer.text, static_cast<std::size_t>(limit));
    const std::size_t end = answer.ends.empty() ? 0 : answer.ends.back();
    answer.finish_reason = end < answer.text.size() || (exact && std::ssize(answer.ends) == limit) ? "length" : "stop";
    answer.text.resize(end);
    if (!answer.tool.empty() && answer.finish_reason == "stop") answer.finish_reason = "tool_calls";
    answer.prompt_tokens = static_cast<int>(split_sim_tokens(request.prompt).size()) + kTokensPerMessage * request.messages;
    return answer;
}

}  // namespace plimsoll::llm
