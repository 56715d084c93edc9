#include "record/otlp_exporter.h"

#include <fmt/format.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include "base/log.h"
#include "net/http_client.h"

namespace plimsoll::record {
namespace {

std::chrono::steady_clock::duration seconds(double count) {
    return std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(count));
}

json::object attributes_of(const json::value& value) { return value.is_object() ? value.get_object() : json::object(); }

// Worth sending again: no answer at all, or one that says "later" (OTLP specification, failures of OTLP/HTTP).
bool is_transient(const Error& error) {
    return error.code != ErrorCode::http_status || error.http_status == 408 || error.http_status == 429 || error.http_status >= 500;
}

}  // namespace

const Schema<OtlpExporterConfig>& otlp_exporter_schema() {
    static const auto schema =
        Schema<OtlpExporterConfig>("telemetry.tracing", "otelcollector", "spans to an OpenTelemetry collector over OTLP/HTTP")
            .required("endpoint", &OtlpExporterConfig::endpoint, "URL, usually http://host:4318/v1/traces")
            .required("project", &OtlpExporterConfig::project, "service.name of the spans")
            .field("resource_attributes", &OtlpExporterConfig::resource_attributes, "further attributes of the resource")
            .field("batch_size", &OtlpExporterConfig::batch_size, "spans a request")
            .at_least(1)
            .field("flush_interval", &OtlpExporterConfig::flush_interval, "seconds until a smaller batch is sent")
            .at_least(0.001)
            .field("max_queue_size", &OtlpExporterConfig::max_queue_size, "spans that may wait; further ones are dropped and counted")
            .at_least(1)
            .field("drop_on_overflow", &OtlpExporterConfig::drop_on_overflow, "accepted for NAT's files; a full queue always drops")
            .field("shutdown_timeout", &OtlpExporterConfig::shutdown_timeout, "seconds to deliver what is left at the end")
            .at_least(0);
    return schema;
}

OtlpExporter::OtlpExporter(OtlpExporterConfig config, asio::any_io_executor executor)
    : config_(std::move(config)),
      resource_(make_resource(config_.project, attributes_of(config_.resource_attributes))),
      executor_(std::move(executor)),
      signals_(std::make_shared<Signals>(executor_)) {
    ended_ = asio::co_spawn(executor_, send_all(), asio::bind_cancellation_slot(signals_->abort.slot(), asio::use_future));
}

// ---- the sessions' side ----

void OtlpExporter::on_step(const event::Session& session, const event::Step& step) {
    switch (step.payload.event_type.phase) {
        case event::Phase::start: return note_start(session, step);
        case event::Phase::chunk: return note_token(session, step);
        case event::Phase::end: return note_end(session, step);
    }
}

void OtlpExporter::note_start(const event::Session& session, const event::Step& step) {
    const std::lock_guard lock(mutex_);
    if (stopping_ || open_count_ >= kMaxOpenSpans) return;  // its END decides whether the span is lost
    if (open_[&session].insert_or_assign(step.payload.uuid, OpenSpan{step, {}}).second) ++open_count_;
}

void OtlpExporter::note_token(const event::Session& session, const event::Step& step) {
    const std::lock_guard lock(mutex_);
    const auto spans = open_.find(&session);
    if (spans == open_.end()) return;
    const auto span = spans->second.find(step.payload.uuid);
    if (span != spans->second.end() && !span->second.first_token) span->second.first_token = step.payload.event_timestamp;
}

void OtlpExporter::note_end(const event::Session& session, const event::Step& step) {
    OpenSpans::node_type opened;
    {
        const std::lock_guard lock(mutex_);
        if (const auto spans = open_.find(&session); spans != open_.end()) opened = spans->second.extract(step.payload.uuid);
        if (opened) --open_count_;
        if (!opened && !step.payload.span_event_timestamp) {
            ++counters_.dropped;
            return;
        }
    }
    const event::Step& start = opened ? opened.mapped().start : step;
    const double start_time = opened ? start.payload.event_timestamp : *step.payload.span_event_timestamp;
    queue_span(encode_span(session.info(), {start, &step, start_time, step.payload.event_timestamp,
                                            opened ? opened.mapped().first_token : std::nullopt, event::step_error(step)}));
}

void OtlpExporter::on_session_end(const event::Session& session, const Error* error) {
    decltype(open_)::node_type left;
    {
        const std::lock_guard lock(mutex_);
        left = open_.extract(&session);
        if (left) open_count_ -= left.mapped().size();
    }
    if (!left) return;
    const Error status = error ? *error : Error{ErrorCode::cancelled, "the session ended before this call"};
    for (const auto& [uuid, span] : left.mapped())
        queue_span(encode_span(session.info(),
                               {span.start, nullptr, span.start.payload.event_timestamp, session.now(), span.first_token, status}));
}

void OtlpExporter::queue_span(std::string bytes) {
    bool due = false;
    {
        const std::lock_guard lock(mutex_);
        if (stopping_ || queue_.size() >= static_cast<std::size_t>(config_.max_queue_size)) {
            ++counters_.dropped;
            return;
        }
        queue_.push_back(std::move(bytes));
        due = queue_.size() == static_cast<std::size_t>(config_.batch_size);
    }
    if (due) wake();
}

// The loop looks at the queue and starts to wait without a gap on its own thread, so a wake-up that is posted there is never lost.
void OtlpExporter::wake() {
    asio::post(executor_, [signals = signals_] { signals->timer.cancel(); });
}

// ---- the sender's side ----

asio::awaitable<void> OtlpExporter::send_all() {
    for (;;) {
        bool due;
        bool done;
        {
            const std::lock_guard lock(mutex_);
            due = stopping_ || queue_.size() >= static_cast<std::size_t>(config_.batch_size);
            done = stopping_ && queue_.empty();
        }
        if (done) co_return;
        if (!due) co_await wait(seconds(config_.flush_interval));
        auto batch = take_batch();
        if (!batch.empty()) co_await deliver(std::move(batch));
    }
}

std::vector<std::string> OtlpExporter::take_batch() {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> batch;
    std::size_t bytes = 0;
    while (!queue_.empty() && batch.size() < static_cast<std::size_t>(config_.batch_size) &&
           (batch.empty() || bytes + queue_.front().size() <= kMaxBatchBytes)) {
        bytes += queue_.front().size();
        batch.push_back(std::move(queue_.front()));
        queue_.pop_front();
    }
    in_hand_ = batch.size();
    return batch;
}

asio::awaitable<void> OtlpExporter::deliver(std::vector<std::string> batch) {
    const std::string body = encode_request(resource_, batch);
    for (auto pause = kFirstWait;; pause = std::min(pause * 2, kLongestWait)) {
        const auto refused = co_await post(body);
        if (!is_to_be_sent_again(refused)) co_return;
        co_await wait(pause);
    }
}

bool OtlpExporter::is_to_be_sent_again(const Result<std::uint64_t>& refused) {
    const std::lock_guard lock(mutex_);
    if (refused) {
        const std::uint64_t dropped = std::min<std::uint64_t>(*refused, in_hand_);
        counters_.exported += in_hand_ - dropped;
        counters_.dropped += dropped;
        in_hand_ = 0;
        answered_ = true;
        return false;
    }
    ++counters_.failed_batches;
    if (!std::exchange(warned_, true))
        log_warning("telemetry otelcollector {}: {}; spans that do not fit the queue are dropped", config_.endpoint,
                    refused.error().message);
    if (is_transient(refused.error()) && !stopping_) return true;
    counters_.dropped += std::exchange(in_hand_, 0);
    return false;
}

asio::awaitable<Result<std::uint64_t>> OtlpExporter::post(std::string body) {
    net::HttpRequest request;
    request.method = "POST";
    request.url = config_.endpoint;
    request.headers = {{"Content-Type", "application/x-protobuf"}, {"User-Agent", "plimsoll/" PLIMSOLL_VERSION}};
    request.body = std::move(body);
    request.deadline = Deadline::after(kSendTimeout);
    const auto response = co_await net::HttpClient::of(executor_).send(std::move(request));
    if (!response) co_return fail(response.error());
    if (response->status >= 300) co_return fail(Error{ErrorCode::http_status, fmt::format("HTTP {}", response->status), response->status});
    co_return rejected_spans(response->body);
}

asio::awaitable<void> OtlpExporter::wait(Clock::duration span) {
    signals_->timer.expires_after(span);
    boost::system::error_code woken;
    co_await signals_->timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
}

void OtlpExporter::shutdown() {
    Clock::duration limit = seconds(config_.shutdown_timeout);
    {
        const std::lock_guard lock(mutex_);
        if (std::exchange(stopping_, true)) return;
        if (!answered_) limit = std::min<Clock::duration>(limit, kUnansweredShutdown);
    }
    wake();
    if (ended_.wait_for(limit) != std::future_status::ready)
        asio::post(executor_, [signals = signals_] { signals->abort.emit(asio::cancellation_type::terminal); });
    ended_.wait();  // an aborted send ends at once
    const std::lock_guard lock(mutex_);
    counters_.dropped += std::exchange(in_hand_, 0) + queue_.size() + std::exchange(open_count_, 0);
    queue_.clear();
    open_.clear();
    if (counters_.dropped > 0) log_info("telemetry otelcollector {}: {} spans were not delivered", config_.endpoint, counters_.dropped);
}

ExportCounters OtlpExporter::counters() const {
    const std::lock_guard lock(mutex_);
    return counters_;
}

}  // namespace plimsoll::record
