// What one session does: calls and waits, each after the steps it depends on. A single question is a script of one step, a conversation
// a chain, a recorded agent a graph that forks and joins.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "load/duration_text.h"
#include "load/target.h"

namespace plimsoll::load {

struct ScriptStep {
    enum class Kind : std::uint8_t {
        call,  // asks the target
        wait,  // takes `duration`: a tool that is not called again
    };
    Kind kind = Kind::call;
    std::vector<int> after;   // steps that must have ended, all of a lower index; empty: the session's start
    Nanoseconds delay{0};     // from then on
    Nanoseconds duration{0};  // of a wait
    std::string name;         // of the model that is asked, or of the tool; empty: the target's model
    std::vector<Message> messages;
    std::int64_t made_up_tokens = 0;  // without messages: the length of a question that is made up
    bool in_conversation = false;     // the session's earlier questions and answers go in front
    std::int64_t max_tokens = 0;
    bool exact_tokens = false;  // the answer is to have max_tokens, no fewer
};

// Invariant: the indices in `after` are below the step's own.
struct Script {
    std::vector<ScriptStep> steps;

    // Each step comes after the one before it and nothing else.
    bool is_chain() const;
};

// Session n runs scripts[n % size]; shared by all threads, never changed during a run.
using ScriptBook = std::vector<Script>;

// A session that waits between calls: it has fewer of them in flight than there are sessions.
bool has_pauses(const ScriptBook& book);

// One session an entry of `conversations`; its questions one after the other with `pause` between them, each with what was said before.
ScriptBook make_conversations(const std::vector<std::vector<std::string>>& conversations, Nanoseconds pause);

// A JSON array (of texts, of lists of texts, or of objects with "question", "input" or "turns"), such objects one a line, or plain text
// with one question a line. Errors: parse, saying which entry.
Result<std::vector<std::vector<std::string>>> parse_inputs(std::string_view text);

// The question of a step that has made_up_tokens, always the same for the same arguments.
Message make_up_question(const ScriptStep& step, std::uint64_t seed, std::uint64_t session, std::size_t index);

// A text of about so many tokens (short words), different each time.
std::string make_text(Random& random, std::int64_t words);

}  // namespace plimsoll::load
