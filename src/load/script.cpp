#include "load/script.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/json.h"

namespace plimsoll::load {
namespace {

Result<std::vector<std::string>> read_turns(const json::value& entry, std::size_t number) {
    const auto wrong = [number] {
        return fail(ErrorCode::parse,
                    fmt::format("input {}: neither a text, a list of texts nor an object with question, input or turns", number));
    };
    const json::value* value = &entry;
    if (entry.is_object()) {
        value = nullptr;
        for (const char* key : {"turns", "question", "input"})
            if (!value) value = find(entry, key);
        if (!value) return wrong();
    }
    std::vector<std::string> turns;
    const json::array one = {*value};
    for (const auto& turn : value->is_array() ? value->get_array() : one) {
        if (!turn.is_string()) return wrong();
        turns.emplace_back(turn.get_string());
    }
    if (turns.empty()) return wrong();
    return turns;
}

}  // namespace

bool Script::is_chain() const {
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const auto& after = steps[i].after;
        if (i == 0 ? !after.empty() : after != std::vector<int>{static_cast<int>(i) - 1}) return false;
    }
    return true;
}

bool has_pauses(const ScriptBook& book) {
    return std::ranges::any_of(book, [](const Script& script) {
        return std::ranges::any_of(script.steps,
                                   [](const ScriptStep& step) { return step.delay.count() > 0 || step.duration.count() > 0; });
    });
}

ScriptBook make_conversations(const std::vector<std::vector<std::string>>& conversations, Nanoseconds pause) {
    ScriptBook book;
    for (const auto& turns : conversations) {
        Script script;
        for (const std::string& turn : turns) {
            ScriptStep step;
            const int index = static_cast<int>(script.steps.size());
            if (index > 0) {
                step.after = {index - 1};
                step.delay = pause;
            }
            step.messages = {{"user", turn}};
            step.in_conversation = turns.size() > 1;
            script.steps.push_back(std::move(step));
        }
        book.push_back(std::move(script));
    }
    return book;
}

Result<std::vector<std::vector<std::string>>> parse_inputs(std::string_view text) {
    std::vector<std::vector<std::string>> out;
    const auto add = [&out](const json::value& entry) -> Result<void> {
        auto turns = read_turns(entry, out.size() + 1);
        if (!turns) return fail(turns.error());
        out.push_back(std::move(*turns));
        return {};
    };
    const std::size_t start = text.find_first_not_of(" \t\r\n");
    const char first = start == std::string_view::npos ? ' ' : text[start];
    if (first == '[') {
        const auto parsed = parse_json(text);
        if (!parsed) return fail(parsed.error());
        for (const auto& entry : parsed->get_array()) PLIMSOLL_TRY(add(entry));
    } else {
        for (std::size_t number = 1; !text.empty(); ++number) {
            std::string_view line = text.substr(0, text.find('\n'));
            text.remove_prefix(std::min(text.size(), line.size() + 1));
            if (line.ends_with('\r')) line.remove_suffix(1);
            if (line.empty()) continue;
            if (first != '{') {
                out.push_back({std::string(line)});
                continue;
            }
            const auto entry = parse_json(line);
            if (!entry || !entry->is_object())
                return fail(ErrorCode::parse, fmt::format("line {}: no JSON object; inputs are a JSON list, or an object a line", number));
            PLIMSOLL_TRY(add(*entry));
        }
    }
    if (out.empty()) return fail(ErrorCode::parse, "there is no input");
    return out;
}

Message make_up_question(const ScriptStep& step, std::uint64_t seed, std::uint64_t session, std::size_t index) {
    constexpr std::uint64_t kStepsApart = 1'000'003;  // a prime beyond the number of steps keeps the sessions' seeds apart
    Random random(seed + session * kStepsApart + index);
    return {"user", make_text(random, step.made_up_tokens)};
}

std::string make_text(Random& random, std::int64_t words) {
    // A token each, for real tokenizers and for the simulated server.
    static constexpr std::string_view kWords[] = {"wharf", "cargo",  "tide", "draft", "vessel", "keel",  "cable",  "voyage",
                                                  "crane", "anchor", "hull", "beam",  "chart",  "pilot", "ledger", "season"};
    std::string out;
    for (std::int64_t i = 0; i < words; ++i) {
        if (i > 0) out += ' ';
        out += kWords[random() % std::size(kWords)];
    }
    return out;
}

}  // namespace plimsoll::load
