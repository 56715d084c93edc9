// One node's execution under its policies: time limits, attempts, error handler.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <exception>
#include <type_traits>

#include "base/error.h"
#include "graph/task.h"

namespace plimsoll::graph {

// The `internal` error of an exception in code that the graph called; `cancelled` when that code was cancelled.
Error error_of(std::exception_ptr exception);

// Calls fn, which returns a Result; its exception becomes an error_of(), except a NodeInterrupted, which passes.
template <class Fn>
std::invoke_result_t<Fn> caught(Fn fn) {
    try {
        return fn();
    } catch (const NodeInterrupted&) {
        throw;
    } catch (...) {
        return fail(error_of(std::current_exception()));
    }
}

// Calls a node that has_policy(). Throws NodeInterrupted. When it is cancelled the attempt under way is cancelled and waited for.
asio::awaitable<Result<UpdateData>> run_with_policy(const NodeCall& call, Task& task, asio::any_io_executor executor);

}  // namespace plimsoll::graph
