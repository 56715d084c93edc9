// A trigger while a graph runs: has it been written, may it fire, has its node seen it.
//
// Invariant: a trigger that may fire does so in the next step and is consumed there, before that step's writes; what is left
// over from older steps are half-full barriers and deferred writes.
#pragma once

#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <string>

#include "base/json.h"
#include "graph/program.h"

namespace plimsoll::graph {

class TriggerState {
  public:
    explicit TriggerState(const Trigger& trigger) : deferred_(trigger.deferred), heard_(std::max<std::size_t>(trigger.writers, 1), false) {}

    // True when its node has to run.
    bool fires() const { return is_complete() && (!deferred_ || finished_) && version_ > seen_; }

    void write(std::size_t writer, std::uint64_t version) {
        if (heard_[writer]) return;
        heard_[writer] = true;
        ++count_;
        version_ = version;
    }

    // Its node ran in the step that becomes `version`.
    void consume(std::uint64_t version) {
        seen_ = version_;
        consumed_ = version;
        discard(version);
    }

    // Nobody is to run for what was written.
    void discard(std::uint64_t version) {
        if (!is_complete() || (deferred_ && !finished_)) return;
        std::fill(heard_.begin(), heard_.end(), false);
        count_ = 0;
        finished_ = false;
        version_ = version;
    }

    // No task is left: a deferred trigger that is complete may fire now.
    void finish(std::uint64_t version) {
        if (!deferred_ || finished_ || !is_complete()) return;
        finished_ = true;
        version_ = version;
    }

    bool is_empty() const { return count_ == 0; }
    std::uint64_t version() const { return version_; }
    std::uint64_t seen() const { return seen_; }
    // When seen() changed last in this run.
    std::uint64_t consumed() const { return consumed_; }

    // JSON: {"heard": [indices of writers], "finished": bool}. Written by hand, for it is part of every checkpoint.
    std::string to_text() const {
        std::string text = R"({"heard":[)";
        for (std::size_t i = 0; i < heard_.size(); ++i) {
            if (!heard_[i]) continue;
            if (text.back() != '[') text += ',';
            text += std::to_string(i);
        }
        text += finished_ ? R"(],"finished":true})" : R"(],"finished":false})";
        return text;
    }
    // `saved` null: it was empty. Writers that are no more are ignored.
    void load(const json::value* saved, std::uint64_t version, std::uint64_t seen) {
        version_ = version;
        seen_ = seen;
        const json::value* heard = saved ? find(*saved, "heard") : nullptr;
        if (!heard || !heard->is_array()) return;
        for (const json::value& writer : heard->get_array()) {
            const std::int64_t* index = writer.if_int64();
            if (!index || *index < 0 || static_cast<std::size_t>(*index) >= heard_.size() || heard_[*index]) continue;
            heard_[*index] = true;
            ++count_;
        }
        const json::value* finished = find(*saved, "finished");
        finished_ = finished && finished->is_bool() && finished->get_bool();
    }

  private:
    bool is_complete() const { return count_ == heard_.size(); }

    bool deferred_;
    bool finished_ = false;
    boost::container::small_vector<bool, 8> heard_;  // most triggers have one writer
    std::size_t count_ = 0;
    std::uint64_t version_ = 0;
    std::uint64_t seen_ = 0;
    std::uint64_t consumed_ = 0;
};

}  // namespace plimsoll::graph
