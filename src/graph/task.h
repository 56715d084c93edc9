// One task of a superstep: a node's execution, from the plan to what it wrote.
#pragma once

#include <any>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "graph/interrupt.h"
#include "graph/program.h"

namespace plimsoll::graph {

class StepTasks;

struct PendingSend {
    std::size_t node = 0;
    std::any argument;
};

struct Task {
    TaskId id;
    const Node* node = nullptr;
    std::any argument;  // of a Send; empty for a task that an edge triggered

    // What it did, complete once it has ended well.
    std::vector<Write> writes;
    std::vector<TriggerWrite> triggered;  // besides the node's edges
    std::vector<PendingSend> sends;

    bool done = false;    // ended well, now or in an earlier run or attempt
    bool cached = false;  // its writes were found, not made
    bool stored = false;  // its writes are among the checkpoint's pending ones

    std::unique_ptr<Error> error;       // null: none
    std::vector<Interrupt> interrupts;  // asked, not answered
    std::vector<json::value> answers;   // to its interrupts, in the order in which it asks
    std::size_t asked = 0;

    std::string key;                                  // see StepTasks::key_of()
    StepTasks* step = nullptr;                        // while it runs
    std::chrono::steady_clock::time_point last_sign;  // of life, for the idle timeout

    bool is_send() const { return argument.has_value(); }
};

// 32 hex digits that name a task in every run that starts from the same checkpoint: FNV-1a, 128 bit (Fowler, Noll, Vo, 1991),
// over the checkpoint's id, the graph's space, step, node, kind (edge or Send) and index among the Sends.
std::string make_task_key(std::string_view checkpoint, std::string_view space, const Task& task, std::size_t first_send);
// Of the n-th question of a task.
std::string make_interrupt_id(std::string_view task_space, std::size_t n);
// Of the texts, each closed by a zero byte.
std::string hash_hex(std::initializer_list<std::string_view> texts);

// "outer:1f…|node:2e…"
std::string join_space(std::string_view outer, std::string_view node, std::string_view key);

}  // namespace plimsoll::graph
