// Telemetry `otelcollector`: sessions' steps as spans to an OpenTelemetry collector over OTLP/HTTP, in batches.
//
// Sessions encode and queue; a coroutine on one io thread sends. A collector that fails costs the sessions nothing: one warning, further
// attempts with growing waits, and spans beyond max_queue_size dropped and counted. A span goes out when it ends; what is still open when
// its session ends goes out then, with status ERROR, so that a failed session has its root.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <unordered_map>

#include "record/otlp.h"
#include "record/telemetry.h"

namespace plimsoll::record {

namespace asio = boost::asio;

struct OtlpExporterConfig {
    std::string endpoint;  // whole URL, usually ending in /v1/traces
    std::string project;
    json::value resource_attributes;
    int batch_size = 100;       // spans
    double flush_interval = 5;  // seconds
    int max_queue_size = 1000;  // spans
    bool drop_on_overflow = false;
    double shutdown_timeout = 10;  // seconds
};
const Schema<OtlpExporterConfig>& otlp_exporter_schema();

class OtlpExporter final : public Exporter {
  public:
    static constexpr std::size_t kMaxOpenSpans = 200'000;    // over all sessions; further ones lose their START
    static constexpr std::size_t kMaxBatchBytes = 3u << 20;  // below the 4 MiB that collectors accept by default
    static constexpr std::chrono::seconds kSendTimeout{10};
    static constexpr std::chrono::milliseconds kFirstWait{500};  // after a failure, doubled up to the one below
    static constexpr std::chrono::milliseconds kLongestWait{30'000};
    static constexpr std::chrono::milliseconds kUnansweredShutdown{1000};  // bound of shutdown() when the collector never answered

    OtlpExporter(OtlpExporterConfig config, asio::any_io_executor executor);
    ~OtlpExporter() override { shutdown(); }

    void on_step(const event::Session& session, const event::Step& step) override;
    void on_session_end(const event::Session& session, const Error* error) override;
    void shutdown() override;
    ExportCounters counters() const override;

  private:
    struct OpenSpan {
        event::Step start;
        std::optional<double> first_token;
    };
    // Used on the executor only. Shared with what is posted there, which may run after the exporter is gone.
    struct Signals {
        explicit Signals(const asio::any_io_executor& executor) : timer(executor) {}
        asio::steady_timer timer;
        asio::cancellation_signal abort;
    };
    using OpenSpans = std::unordered_map<std::string, OpenSpan>;
    using Clock = std::chrono::steady_clock;

    void note_start(const event::Session& session, const event::Step& step);
    void note_token(const event::Session& session, const event::Step& step);
    void note_end(const event::Session& session, const event::Step& step);
    void queue_span(std::string bytes);

    asio::awaitable<void> send_all();
    asio::awaitable<void> deliver(std::vector<std::string> batch);
    asio::awaitable<Result<std::uint64_t>> post(std::string body);  // spans the collector refused
    asio::awaitable<void> wait(Clock::duration span);               // or until woken
    std::vector<std::string> take_batch();
    bool is_to_be_sent_again(const Result<std::uint64_t>& refused);
    void wake();

    const OtlpExporterConfig config_;
    const OtlpResource resource_;
    const asio::any_io_executor executor_;
    const std::shared_ptr<Signals> signals_;
    std::future<void> ended_;

    mutable std::mutex mutex_;
    std::unordered_map<const event::Session*, OpenSpans> open_;
    std::size_t open_count_ = 0;
    std::deque<std::string> queue_;
    std::size_t in_hand_ = 0;  // spans of the batch being sent
    ExportCounters counters_;
    bool stopping_ = false;
    bool answered_ = false;  // the collector has taken a batch
    bool warned_ = false;
};

}  // namespace plimsoll::record
