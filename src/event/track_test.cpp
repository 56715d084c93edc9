#include "event/track.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <stdexcept>

#include "event/span.h"

namespace plimsoll::event {
namespace {

namespace asio = boost::asio;

std::shared_ptr<Session> make_session() {
    return Session::make({}, {}, [now = 0.0]() mutable { return now += 1; }, 1);
}

// Runs a coroutine to its end; its exception is rethrown.
void run(asio::awaitable<void> body, asio::cancellation_slot slot = {}) {
    asio::io_context loop;
    std::exception_ptr thrown;
    asio::co_spawn(loop, std::move(body), asio::bind_cancellation_slot(slot, [&](std::exception_ptr exception) { thrown = exception; }));
    loop.run();
    if (thrown) std::rethrow_exception(thrown);
}

const json::value& metadata(const Session& session, std::size_t step) { return session.steps()[step].payload.metadata; }

struct Opaque {};

int add(int a, int b) { return a + b; }

int add_length(int number, const std::string& text) { return number + static_cast<int>(text.size()); }

TEST(Track, RecordsArgumentsAndResultInNatsShape) {
    const auto session = make_session();
    EXPECT_EQ(track_call(session->root(), "add", {{"unit", "bytes"}}, add_length, 3, std::string("four")), 7);
    ASSERT_EQ(session->steps().size(), 2u);
    const Payload& start = session->steps()[0].payload;
    EXPECT_EQ(to_string(start.event_type), "SPAN_START");
    EXPECT_EQ(start.name, "add");
    EXPECT_EQ(start.metadata,
              (json::value{
                  {"span_inputs", {{3, "four"}, json::object{}}}, {"span_outputs", nullptr}, {"provided_metadata", {{"unit", "bytes"}}}}));
    const Payload& end = session->steps()[1].payload;
    EXPECT_EQ(to_string(end.event_type), "SPAN_END");
    EXPECT_EQ(end.uuid, start.uuid);
    EXPECT_EQ(
        end.metadata,
        (json::value{{"span_inputs", {{3, "four"}, json::object{}}}, {"span_outputs", 7}, {"provided_metadata", {{"unit", "bytes"}}}}));
    EXPECT_EQ(session->steps()[1].function_ancestry.function_name, "root");  // tracked functions are no workflow functions
}

TEST(Track, NatsFunctionTracking) {
    const auto session = make_session();
    EXPECT_EQ(track_call(session->root(), "add", {{"k", "v"}}, add, 2, 3), 5);
    ASSERT_EQ(session->steps().size(), 2u);
    EXPECT_EQ(metadata(*session, 0).at("span_inputs"), (json::value{{2, 3}, json::object{}}));
    EXPECT_EQ(metadata(*session, 1).at("span_outputs"), json::value(5));
    for (const std::size_t step : {0u, 1u}) EXPECT_EQ(metadata(*session, step).at("provided_metadata"), (json::value{{"k", "v"}}));
}

TEST(Track, LeavesOutWhatJsonCannotSay) {
    const auto session = make_session();
    track_call(session->root(), "odd", nullptr, [](Opaque, int) { return Opaque{}; }, Opaque{}, 5);
    EXPECT_EQ(*find(metadata(*session, 0), "span_inputs"), (json::array{{5}, json::object{}}));
    EXPECT_TRUE(find(metadata(*session, 1), "span_outputs")->is_null());
}

TEST(Track, GivesTheFunctionTheSpansContext) {
    const auto session = make_session();
    track_call(
        session->root(), "outer", nullptr,
        [](Context inside, int depth) {
            track_call(inside, "inner", nullptr, [] {});
            return depth;
        },
        1);
    const auto spans = pair_spans(session->steps()).spans;
    ASSERT_EQ(spans.size(), 2u);
    EXPECT_EQ(spans[1].parent_id, spans[0].uuid);
    EXPECT_EQ(*find(metadata(*session, 0), "span_inputs"), (json::array{{1}, json::object{}}));
}

TEST(Track, PassesReferencesThrough) {
    const auto session = make_session();
    std::string text;
    std::string& same = track_call(session->root(), "ref", nullptr, [](std::string& out) -> std::string& { return out; }, text);
    EXPECT_EQ(&same, &text);
}

TEST(Track, AnExceptionClosesTheSpanAndContinues) {
    const auto session = make_session();
    EXPECT_THROW(track_call(session->root(), "bad", nullptr, [] { throw std::invalid_argument("no"); }), std::invalid_argument);
    EXPECT_THROW(track_call(session->root(), "worse", nullptr, [] { throw 3; }), int);
    const auto spans = pair_spans(session->steps()).spans;
    ASSERT_EQ(spans.size(), 2u);
    for (const Span& span : spans) {
        ASSERT_TRUE(span.error);
        EXPECT_EQ(span.error->code, ErrorCode::internal);
    }
    EXPECT_EQ(spans[0].error->message, "no");
}

asio::awaitable<Result<int>> half(int number) {
    if (number % 2 != 0) co_return fail(ErrorCode::invalid_argument, "odd");
    co_return number / 2;
}

asio::awaitable<void> halves(Context context) {
    const auto four = co_await track(context, "half", {{"n", 1}}, half, 8);
    EXPECT_EQ(four.value_or(0), 4);
    const auto none = co_await track(context, "half", nullptr, half, 7);
    EXPECT_FALSE(none);
}

TEST(Track, CoroutinesAndTheirErrors) {
    const auto session = make_session();
    run(halves(session->root()));
    ASSERT_EQ(session->steps().size(), 4u);
    EXPECT_EQ(*find(metadata(*session, 1), "span_outputs"), json::value(4));
    EXPECT_EQ(step_error(session->steps()[3])->code, ErrorCode::invalid_argument);
}

asio::awaitable<std::string> wait_and_join(Context, std::string a, std::string b) {
    asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::clock_type::now());
    co_await timer.async_wait(asio::use_awaitable);
    co_return a + b;
}

asio::awaitable<void> join_temporaries(Context context) {
    auto joined = track(context, "join", nullptr, wait_and_join, std::string(100, 'a'), std::string(100, 'b'));
    EXPECT_EQ(co_await std::move(joined), std::string(100, 'a') + std::string(100, 'b'));  // the arguments' temporaries are gone
}

TEST(Track, KeepsACoroutinesArguments) {
    const auto session = make_session();
    run(join_temporaries(session->root()));
    EXPECT_EQ(session->steps().size(), 2u);
}

asio::awaitable<void> throw_later() {
    throw std::runtime_error("late");
    co_return;
}

asio::awaitable<void> wait_forever() {
    asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    co_await timer.async_wait(asio::use_awaitable);
}

TEST(Track, CoroutineExceptionsAndCancellationCloseTheSpan) {
    const auto session = make_session();
    EXPECT_THROW(run(track(session->root(), "throws", nullptr, throw_later)), std::runtime_error);

    asio::cancellation_signal cancel;
    const auto cancel_then_wait = [&cancel] {
        cancel.emit(asio::cancellation_type::terminal);
        return wait_forever();
    };
    EXPECT_THROW(run(track(session->root(), "cancelled", nullptr, cancel_then_wait), cancel.slot()), boost::system::system_error);
    const auto spans = pair_spans(session->steps()).spans;
    ASSERT_EQ(spans.size(), 2u);
    EXPECT_EQ(spans[0].error->code, ErrorCode::internal);
    EXPECT_EQ(spans[1].error->code, ErrorCode::cancelled);
}

TEST(Track, RecordsNothingWithoutASession) {
    EXPECT_EQ(track_call({}, "add", nullptr, add_length, 1, "xy"), 3);
    run(halves({}));
}

}  // namespace
}  // namespace plimsoll::event
