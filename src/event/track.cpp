#include "event/track.h"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

namespace plimsoll::event {
namespace {

ScopedSpan::Options make_options(json::value metadata, json::array arguments) {
    ScopedSpan::Options options;
    options.metadata = json::object{{"span_inputs", json::array{std::move(arguments), json::object{}}},
                                    {"span_outputs", nullptr},
                                    {"provided_metadata", std::move(metadata)}};
    return options;
}

}  // namespace

TrackedCall::TrackedCall(const Context& outer, std::string name, json::value metadata, json::array arguments)
    : span_(outer, Category::span, std::move(name), nullptr, make_options(std::move(metadata), std::move(arguments))) {}

void TrackedCall::succeed(std::optional<json::value> output) {
    if (output) span_.set_metadata("span_outputs", std::move(*output));
    span_.end();
}

void TrackedCall::note_current_exception() {
    try {
        throw;
    } catch (const boost::system::system_error& error) {
        if (error.code() != boost::asio::error::operation_aborted) span_.note_exception(error.what());
    } catch (const std::exception& error) {
        span_.note_exception(error.what());
    } catch (...) {
        span_.note_exception("an exception of unknown type");
    }
}

}  // namespace plimsoll::event
