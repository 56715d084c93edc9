#include "record/telemetry.h"

#include <gmock/gmock.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/files.h"
#include "net/http_server.h"
#include "record/file_exporter.h"
#include "record/otlp_decoder.h"

namespace plimsoll::record {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

std::shared_ptr<event::Session> make_session(event::StepSink* sink) {
    return event::Session::make({.number = 1}, {sink}, [time = 100.0]() mutable { return time += 0.5; }, 7);
}

void run_call(const event::Context& context) {
    event::ScopedSpan call(context, event::Category::llm, "m", "prompt");
    call.chunk("a");
    call.chunk("b");
    call.set_output("ab");
    call.end();
}

void run_session(event::StepSink* sink) {
    auto session = make_session(sink);
    event::ScopedSpan workflow(session->root(), event::Category::workflow, "wf", "question");
    run_call(workflow.context());
    workflow.end();
    session->finish(nullptr);
}

// As a remote session whose answer was cut short: the workflow's END never comes.
void run_cut_session(event::StepSink* sink, const Error& error) {
    auto session = make_session(sink);
    event::Step start;
    start.payload.event_type = {event::Category::workflow, event::Phase::start};
    start.payload.name = "wf";
    start.payload.uuid = "w";
    session->emit(start);
    run_call(session->root());
    session->finish(&error);
}

// A collector whose answer each test sets.
class Collector {
  public:
    enum class Mode { accept, fail, refuse, hang };

    explicit Collector(Mode mode = Mode::accept) : mode_(mode) {
        server_.route("POST", "/v1/traces",
                      [this](net::ServerRequest request, net::ServerResponse& response) { return take(std::move(request), response); });
        port_ = server_.listen().value();
        ended_ = asio::co_spawn(pool_.at(0), server_.run(), asio::use_future);
    }
    ~Collector() {
        asio::post(pool_.at(0), [this] { server_.stop(); });
        ended_.wait();
    }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1/traces"; }
    void set(Mode mode) { mode_ = mode; }

    bool wait_for_spans(std::size_t count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(30), [&] { return spans_.size() >= count; });
    }
    bool wait_for_requests(std::size_t count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(30), [&] { return requests_ >= count; });
    }
    std::vector<DecodedSpan> spans() {
        const std::lock_guard lock(mutex_);
        return spans_;
    }
    std::size_t requests() {
        const std::lock_guard lock(mutex_);
        return requests_;
    }

  private:
    asio::awaitable<void> take(net::ServerRequest request, net::ServerResponse& response) {
        const Mode mode = mode_;
        {
            const std::lock_guard lock(mutex_);
            ++requests_;
            if (mode == Mode::accept)
                for (auto& span : decode_request(request.body).spans) spans_.push_back(std::move(span));
            changed_.notify_all();
        }
        if (mode == Mode::hang) {
            co_await response.wait_gone();
            co_return;
        }
        const int status = mode == Mode::accept ? 200 : mode == Mode::fail ? 503 : 400;
        static_cast<void>(co_await response.send(status, "application/x-protobuf", ""));
    }

    std::atomic<Mode> mode_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<DecodedSpan> spans_;
    std::size_t requests_ = 0;
    net::IoPool pool_;
    net::HttpServer server_{pool_.at(0).get_executor(), {}};
    std::uint16_t port_ = 0;
    std::future<void> ended_;
};

class OtlpExporterTest : public testing::Test {
  protected:
    std::unique_ptr<Exporter> make(const std::string& url, json::object more = {}) {
        more["endpoint"] = url;
        more["project"] = "test";
        auto exporter = make_exporter("otelcollector", more, pool_);
        EXPECT_TRUE(exporter) << exporter.error().message;
        return std::move(*exporter);
    }
    static std::string unused_url() { return Collector().url(); }

    net::IoPool pool_;
};

TEST_F(OtlpExporterTest, SendsASessionsSpans) {
    Collector collector;
    auto exporter = make(collector.url());
    run_session(exporter.get());
    exporter->shutdown();
    const auto spans = collector.spans();
    ASSERT_EQ(spans.size(), 2u);
    EXPECT_EQ(spans[0].name, "m");
    EXPECT_EQ(spans[0].parent_id, spans[1].span_id);
    EXPECT_EQ(spans[0].trace_id, spans[1].trace_id);
    EXPECT_EQ(spans[0].attributes.at("gen_ai.server.time_to_first_token"), "0.5");
    EXPECT_EQ(spans[1].parent_id, "");
    EXPECT_EQ(exporter->counters().exported, 2u);
    EXPECT_EQ(exporter->counters().dropped, 0u);
    EXPECT_EQ(exporter->counters().failed_batches, 0u);
}

TEST_F(OtlpExporterTest, AFullBatchGoesOutAtOnceAndTheRestAfterTheInterval) {
    Collector collector;
    auto exporter = make(collector.url(), {{"batch_size", 4}, {"flush_interval", 3600}});
    run_session(exporter.get());
    run_session(exporter.get());
    EXPECT_TRUE(collector.wait_for_spans(4));
    auto prompt = make(collector.url(), {{"flush_interval", 0.02}});
    run_session(prompt.get());
    EXPECT_TRUE(collector.wait_for_spans(6));
}

TEST_F(OtlpExporterTest, AFailedSessionHasItsRoot) {
    Collector collector;
    auto exporter = make(collector.url());
    run_cut_session(exporter.get(), {ErrorCode::bad_response, "cut short"});
    exporter->shutdown();
    const auto spans = collector.spans();
    ASSERT_EQ(spans.size(), 2u);
    EXPECT_EQ(spans[1].name, "wf");
    EXPECT_EQ(spans[1].status, 2);
    EXPECT_EQ(spans[1].status_message, "cut short");
}

TEST_F(OtlpExporterTest, AnEndWithItsStartTimeIsASpan) {
    Collector collector;
    auto exporter = make(collector.url());
    auto session = make_session(exporter.get());
    event::Step end;
    end.payload.event_type = {event::Category::llm, event::Phase::end};
    end.payload.uuid = "x";
    end.payload.event_timestamp = 3;
    session->emit(end);  // no start anywhere: no span
    end.payload.span_event_timestamp = 1;
    session->emit(end);
    exporter->shutdown();
    ASSERT_EQ(collector.spans().size(), 1u);
    EXPECT_EQ(collector.spans()[0].start, 1'000'000'000u);
    EXPECT_EQ(collector.spans()[0].end, 3'000'000'000u);
}

TEST_F(OtlpExporterTest, AFailingCollectorGetsTheBatchAgain) {
    Collector collector(Collector::Mode::fail);
    auto exporter = make(collector.url(), {{"batch_size", 2}});
    run_session(exporter.get());
    EXPECT_TRUE(collector.wait_for_requests(1));
    collector.set(Collector::Mode::accept);
    EXPECT_TRUE(collector.wait_for_spans(2));
    exporter->shutdown();
    EXPECT_EQ(exporter->counters().exported, 2u);
    EXPECT_EQ(exporter->counters().failed_batches, 1u);
    EXPECT_EQ(exporter->counters().dropped, 0u);
}

TEST_F(OtlpExporterTest, ARefusedBatchIsDropped) {
    Collector collector(Collector::Mode::refuse);
    auto exporter = make(collector.url(), {{"batch_size", 2}});
    run_session(exporter.get());
    run_session(exporter.get());
    EXPECT_TRUE(collector.wait_for_requests(2));
    exporter->shutdown();
    EXPECT_EQ(exporter->counters().exported, 0u);
    EXPECT_EQ(exporter->counters().dropped, 4u);
    EXPECT_EQ(collector.requests(), 2u);
}

TEST_F(OtlpExporterTest, TheQueueIsBounded) {
    Collector collector(Collector::Mode::hang);
    auto exporter = make(collector.url(), {{"batch_size", 2}, {"max_queue_size", 10}, {"shutdown_timeout", 0}});
    run_session(exporter.get());
    EXPECT_TRUE(collector.wait_for_requests(1));
    for (int i = 0; i < 100; ++i) run_session(exporter.get());
    exporter->shutdown();
    EXPECT_EQ(exporter->counters().exported, 0u);
    EXPECT_EQ(exporter->counters().dropped, 202u);
}

TEST_F(OtlpExporterTest, ShutdownIsShortWhenNobodyEverAnswered) {
    for (const bool hang : {true, false}) {
        Collector collector(Collector::Mode::hang);
        auto exporter = make(hang ? collector.url() : unused_url());
        run_session(exporter.get());
        const auto begun = Clock::now();
        exporter->shutdown();
        EXPECT_LT(Clock::now() - begun, std::chrono::seconds(5));  // the default bound is 10 s
        EXPECT_EQ(exporter->counters().dropped, 2u);
        exporter->shutdown();
    }
}

TEST_F(OtlpExporterTest, SessionsOfManyThreads) {
    Collector collector;
    auto exporter = make(collector.url(), {{"max_queue_size", 100'000}});
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            for (int j = 0; j < 200; ++j) run_session(exporter.get());
        });
    threads.clear();
    exporter->shutdown();
    EXPECT_EQ(exporter->counters().exported, 1600u);
    EXPECT_EQ(collector.spans().size(), 1600u);
}

TEST_F(OtlpExporterTest, AfterShutdownStepsAreDropped) {
    Collector collector;
    auto exporter = make(collector.url());
    exporter->shutdown();
    run_session(exporter.get());
    EXPECT_EQ(exporter->counters().exported, 0u);
    EXPECT_EQ(exporter->counters().dropped, 2u);
}

TEST(Telemetry, ChecksItsSettings) {
    net::IoPool pool;
    EXPECT_EQ(make_exporter("otelcollector", {{"project", "p"}}, pool).error().code, ErrorCode::config);
    EXPECT_EQ(make_exporter("otelcollector", {{"endpoint", "http://x"}, {"project", "p"}, {"batch_size", 0}}, pool).error().code,
              ErrorCode::config);
    EXPECT_EQ(make_exporter("phoenix", {}, pool).error().code, ErrorCode::unsupported);
    EXPECT_EQ(make_exporter("file", {{"output_path", "/dev/null/x"}, {"project", "p"}}, pool).error().code, ErrorCode::io);
    EXPECT_EQ(telemetry_catalogue().size(), 2u);
}

// ---- file ----

class FileExporterTest : public testing::Test {
  protected:
    FileExporterConfig config() const { return {.output_path = path_.string(), .project = "p"}; }
    std::unique_ptr<FileExporter> open(FileExporterConfig config) {
        auto exporter = FileExporter::open(std::move(config));
        EXPECT_TRUE(exporter);
        return std::move(*exporter);
    }
    std::size_t lines(const fs::path& path) const {
        const std::string text = load_file(path).value_or("");
        return static_cast<std::size_t>(std::ranges::count(text, '\n'));
    }

    TemporaryFolder folder_;
    fs::path path_ = folder_.path() / "steps.jsonl";
};

TEST_F(FileExporterTest, WritesAStepALine) {
    auto exporter = open(config());
    run_session(exporter.get());
    exporter->shutdown();
    const std::string text = *load_file(path_);
    EXPECT_EQ(lines(path_), 6u);
    const auto first = event::parse_step(*parse_json(std::string_view(text).substr(0, text.find('\n'))));
    ASSERT_TRUE(first);
    EXPECT_EQ(first->payload.name, "wf");
    EXPECT_EQ(exporter->counters().exported, 6u);
    EXPECT_EQ(exporter->counters().dropped, 0u);
}

TEST_F(FileExporterTest, AppendsOrOverwrites) {
    {
        run_session(open(config()).get());
    }
    {
        run_session(open(config()).get());
    }
    EXPECT_EQ(lines(path_), 12u);
    auto overwrite = config();
    overwrite.mode = "overwrite";
    {
        run_session(open(overwrite).get());
    }
    EXPECT_EQ(lines(path_), 6u);
}

TEST_F(FileExporterTest, RollsAndKeepsSoManyFiles) {
    auto rolling = config();
    rolling.enable_rolling = true;
    rolling.max_file_size = 1000;
    rolling.max_files = 3;
    {
        auto exporter = open(rolling);
        for (int i = 0; i < 5; ++i) run_session(exporter.get());
    }
    std::size_t files = 0;
    for (const auto& entry : fs::directory_iterator(folder_.path())) {
        ++files;
        EXPECT_LE(entry.file_size(), 1000u) << entry.path();
        const std::string text = *load_file(entry.path());
        EXPECT_TRUE(text.ends_with('\n'));
        EXPECT_TRUE(text.starts_with("{\"parent_id\""));
    }
    EXPECT_EQ(files, 3u);
    rolling.cleanup_on_init = true;
    rolling.mode = "overwrite";
    {
        run_session(open(rolling).get());
    }
    rolling.max_file_size = 1;  // every line is longer: one a file
    rolling.mode = "overwrite";
    {
        run_session(open(rolling).get());
    }
    EXPECT_EQ(lines(path_), 1u);
    EXPECT_EQ(lines(path_.string() + ".2"), 1u);
}

TEST_F(FileExporterTest, AFullDiskIsCountedNotThrown) {
    auto full = config();
    full.output_path = "/dev/full";
    auto exporter = open(full);
    run_session(exporter.get());
    exporter->shutdown();
    EXPECT_EQ(exporter->counters().exported, 0u);
    EXPECT_EQ(exporter->counters().dropped, 6u);
    EXPECT_EQ(exporter->counters().failed_batches, 1u);
}

}  // namespace
}  // namespace plimsoll::record
