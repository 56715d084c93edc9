// Records calls of ordinary functions as SPAN steps, as NAT's track_function decorator does (NAT 1.9.0):
//
//   Vectors v = co_await event::track(context, "embed", {{"model", "minilm"}}, embed, texts);   // embed is a coroutine
//   auto words = event::track_call(context, "tokenize", nullptr, tokenize, text);               // tokenize is not
//
// metadata of START: {span_inputs: [[arguments], {}], span_outputs: null, provided_metadata}; END has span_outputs besides.
// Arguments and results that Boost.JSON can make a value from are recorded, others left out. A function whose first parameter
// is an event::Context gets the span's, so that what it starts becomes the span's child; its own arguments follow.
// The END is written whatever happens: an exception leaves metadata.error and continues to the caller (NAT leaves the span
// open), and so does the error of a function that returns a Result. Without a session nothing is recorded or converted.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "base/json.h"
#include "event/session.h"

namespace plimsoll::event {

// The SPAN of one tracked call.
class TrackedCall {
  public:
    TrackedCall(const Context& outer, std::string name, json::value metadata, json::array arguments);

    const Context& context() const { return span_.context(); }
    bool is_recorded() const { return span_.context().session != nullptr; }
    void succeed(std::optional<json::value> output);
    void fail(const Error& error) { span_.fail(error); }
    // Call inside a handler: says why the destructor will close the span. A cancelled operation is recorded as `cancelled`.
    void note_current_exception();

  private:
    ScopedSpan span_;
};

namespace detail {

template <class T>
void append_json(json::array& out, const T& value) {
    if constexpr (json::has_value_from<T>::value) out.push_back(json::value_from(value));
}

template <class T>
struct IsResult : std::false_type {};
template <class T>
struct IsResult<Result<T>> : std::true_type {};

template <class T>
std::optional<json::value> output_of(const T& value) {
    if constexpr (json::has_value_from<T>::value)
        return json::value_from(value);
    else
        return std::nullopt;
}

template <class T>
void finish(TrackedCall& call, const T& result) {
    if (!call.is_recorded()) return;
    if constexpr (!IsResult<T>::value) {
        call.succeed(output_of(result));
    } else if (!result) {
        call.fail(result.error());
    } else if constexpr (std::is_void_v<typename T::value_type>) {
        call.succeed(std::nullopt);
    } else {
        call.succeed(output_of(*result));
    }
}

template <class... Args>
json::array arguments_of(const Context& context, const Args&... args) {
    json::array arguments;
    if (context.session) (append_json(arguments, args), ...);
    return arguments;
}

template <class Fn, class... Args>
decltype(auto) call_with(const Context& context, Fn& fn, Args&&... args) {
    if constexpr (std::is_invocable_v<Fn&, Context, Args...>)
        return std::invoke(fn, context, std::forward<Args>(args)...);
    else
        return std::invoke(fn, std::forward<Args>(args)...);
}

template <class Fn, class... Args>
using CallResult = decltype(call_with(std::declval<const Context&>(), std::declval<Fn&>(), std::declval<Args>()...));

}  // namespace detail

// Returns or throws what fn(args…) does.
template <class Fn, class... Args>
detail::CallResult<Fn, Args...> track_call(const Context& context, std::string name, json::value metadata, Fn fn, Args&&... args) {
    TrackedCall call(context, std::move(name), std::move(metadata), detail::arguments_of(context, args...));
    try {
        if constexpr (std::is_void_v<detail::CallResult<Fn, Args...>>) {
            detail::call_with(call.context(), fn, std::forward<Args>(args)...);
            call.succeed(std::nullopt);
        } else {
            decltype(auto) result = detail::call_with(call.context(), fn, std::forward<Args>(args)...);
            detail::finish(call, result);
            return result;
        }
    } catch (...) {
        call.note_current_exception();
        throw;
    }
}

// The same for a coroutine function. The function and its arguments are kept in this coroutine until it ends.
template <class Fn, class... Args>
detail::CallResult<Fn, Args...> track(Context context, std::string name, json::value metadata, Fn fn, Args... args) {
    using Returned = typename detail::CallResult<Fn, Args...>::value_type;
    TrackedCall call(context, std::move(name), std::move(metadata), detail::arguments_of(context, args...));
    try {
        if constexpr (std::is_void_v<Returned>) {
            co_await detail::call_with(call.context(), fn, std::move(args)...);
            call.succeed(std::nullopt);
        } else {
            Returned result = co_await detail::call_with(call.context(), fn, std::move(args)...);
            detail::finish(call, result);
            co_return result;
        }
    } catch (...) {
        call.note_current_exception();
        throw;
    }
}

}  // namespace plimsoll::event
