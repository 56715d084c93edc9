#include "functions/function.h"

namespace plimsoll::functions {

asio::awaitable<Result<json::value>> call_function(event::Context context, std::string name, Function& function, json::value input) {
    event::ScopedSpan span(context, event::Category::function, std::move(name), input);
    Result<json::value> result;
    try {
        result = co_await function.invoke(span.context(), std::move(input));
    } catch (const boost::system::system_error& error) {
        if (error.code() == asio::error::operation_aborted) throw;  // cancelled: the span's destructor says so
        result = fail(ErrorCode::internal, error.what());
    } catch (const std::exception& error) {
        result = fail(ErrorCode::internal, error.what());
    }
    if (result) {
        span.set_output(*result);
        span.end();
    } else {
        span.fail(result.error());
    }
    co_return result;
}

asio::awaitable<Result<json::value>> run_session(std::shared_ptr<event::Session> session, std::string type, Function& workflow,
                                                 json::value input, Deadline deadline) {
    const event::SessionInfo& info = session->info();
    const json::value conversation = info.conversation_id.empty() ? json::value(nullptr) : json::value(info.conversation_id);
    event::ScopedSpan::Options options;
    options.metadata = {{"provided_metadata",
                         {{"workflow_run_id", info.run_id},
                          {"workflow_trace_id", info.trace_id},
                          {"conversation_id", conversation},
                          {"display_name", info.workflow_alias.empty() ? "<workflow>" : info.workflow_alias}}}};
    Result<json::value> result;
    {
        event::ScopedSpan span(session->root().with_deadline(deadline), event::Category::workflow, std::move(type), input, options);
        result = co_await call_function(span.context(), "<workflow>", workflow, std::move(input));
        if (result) {
            span.set_output(*result);
            span.end();
        } else {
            span.fail(result.error());
        }
    }
    session->finish(result ? nullptr : &result.error());
    co_return result;
}

}  // namespace plimsoll::functions
