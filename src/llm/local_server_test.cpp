#include "llm/local_server.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "llm/child_process.h"

namespace plimsoll::llm {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr int kPatienceMs = 20'000;  // for what happens in milliseconds on a quiet machine

// A model server of 20 lines. The model file holds what it does; `mode` is its first word.
constexpr std::string_view kFakeServer = R"(#!/usr/bin/env python3
import http.server, os, signal, sys, time
model = sys.argv[sys.argv.index("-m") + 1]
mode = open(model).read().split()[0]
with open(model + ".starts", "a") as f:
    f.write(" ".join(sys.argv[1:]) + "\n")
starts = len(open(model + ".starts").readlines())
print("loading", mode, flush=True)
if mode == "dies" or (mode == "dies-later" and starts > 1):
    print("error: tensor data is bad", file=sys.stderr, flush=True)
    sys.exit(3)
if mode == "silent":
    time.sleep(600)
if mode == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/crash":
            os._exit(9)
        self.send_response(503 if mode == "unhealthy" else 200)
        self.end_headers()
        self.wfile.write(b'{"status":"ok"}')
    def log_message(self, *a):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print("srv  llama_server: listening on http://127.0.0.1:%d" % server.server_port, file=sys.stderr, flush=True)
server.serve_forever()
)";

struct Fake {
    TemporaryFolder folder;
    LocalServerOptions options;

    mutable std::mutex mutex;
    mutable std::condition_variable changed;

    // Looks again whenever a process starts, is ready or ends.
    bool eventually(const std::function<bool()>& holds) const {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, milliseconds(kPatienceMs), holds);
    }

    explicit Fake(std::string_view mode) {
        options.server = folder.path() / "fake-server";
        options.model_file = folder.path() / "model.gguf";
        options.alias = "fake";
        options.log_file = folder.path() / "logs" / "server.log";
        options.on_change = [this] {
            const std::lock_guard lock(mutex);
            changed.notify_all();
        };
        EXPECT_TRUE(save_file(options.server, kFakeServer));
        EXPECT_EQ(::chmod(options.server.c_str(), 0755), 0);
        EXPECT_TRUE(save_file(options.model_file, mode));
    }

    std::string log() const { return load_file(options.log_file).value_or(""); }
    std::string starts() const { return load_file(options.model_file.string() + ".starts").value_or(""); }
    std::size_t start_count() const {
        const auto lines = starts();
        return static_cast<std::size_t>(std::count(lines.begin(), lines.end(), '\n'));
    }
};

struct Answer {
    long status = 0;
    std::string body;
};

Answer ask(const std::string& url, const std::string& body = {}) {
    Answer answer;
    CURL* curl = curl_easy_init();
    curl_slist* headers = curl_slist_append(nullptr, "Content-Type: application/json");
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (!body.empty()) curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.c_str());
    const curl_write_callback collect = +[](char* data, std::size_t size, std::size_t count, void* to) {
        static_cast<std::string*>(to)->append(data, size * count);
        return size * count;
    };
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer.body);
    curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return answer;
}

std::string root_of(const LocalServer& server) {
    auto url = server.base_url();
    return url.substr(0, url.size() - std::string_view("/v1").size());
}

bool ends(const Descriptor& process) {
    pollfd watched = {process.get(), POLLIN, 0};
    return ::poll(&watched, 1, kPatienceMs) == 1;
}

TEST(LocalServer, StartsWritesItsLogAndStops) {
    const Fake fake("good");
    auto server = LocalServer::start(fake.options);
    ASSERT_TRUE(server) << server.error().message;
    EXPECT_THAT((*server)->base_url(), testing::MatchesRegex("http://127\\.0\\.0\\.1:[0-9]+/v1"));
    EXPECT_EQ(ask(root_of(**server) + "/health").status, 200);
    EXPECT_EQ((*server)->restarts(), 0);
    EXPECT_EQ((*server)->options().alias, "fake");
    EXPECT_THAT(fake.log(), testing::AllOf(HasSubstr("loading good"), HasSubstr("listening on")));
    const Descriptor process = watch_process((*server)->pid());
    ASSERT_GE(process.get(), 0);
    server->reset();
    EXPECT_TRUE(ends(process));
}

TEST(LocalServer, PassesSlotsContextAndMode) {
    Fake chat("good");
    chat.options.slots = 3;
    chat.options.context_per_slot = 1000;
    ASSERT_TRUE(LocalServer::start(chat.options));
    EXPECT_THAT(chat.starts(), testing::AllOf(HasSubstr("-c 3000 -np 3 -t 1 -tb 1"), HasSubstr("--alias fake"), HasSubstr("--port 0"),
                                              HasSubstr("--metrics")));
    EXPECT_THAT(chat.starts(), testing::Not(HasSubstr("--embeddings")));
    Fake embeddings("good");
    embeddings.options.embeddings = true;
    ASSERT_TRUE(LocalServer::start(embeddings.options));
    EXPECT_THAT(embeddings.starts(), HasSubstr("--embeddings --pooling mean -b 8192 -ub 8192"));
}

TEST(LocalServer, RestartsAfterACrashOnANewPort) {
    const Fake fake("good");
    auto server = LocalServer::start(fake.options);
    ASSERT_TRUE(server) << server.error().message;
    const int first = (*server)->pid();
    ask(root_of(**server) + "/crash");
    ASSERT_TRUE(fake.eventually([&] { return ask(root_of(**server) + "/health").status == 200; }));
    EXPECT_EQ((*server)->restarts(), 1);
    EXPECT_NE((*server)->pid(), first);
    EXPECT_NE((*server)->pid(), 0);
}

TEST(LocalServer, AServerThatHangsIsReplaced) {
    Fake fake("good");
    fake.options.health_every = milliseconds(20);
    fake.options.hung_after = milliseconds(1000);
    auto server = LocalServer::start(fake.options);
    ASSERT_TRUE(server) << server.error().message;
    const int first = (*server)->pid();
    const Descriptor process = watch_process(first);
    ASSERT_EQ(::kill(first, SIGSTOP), 0);
    EXPECT_TRUE(ends(process));
    ASSERT_TRUE(fake.eventually([&] { return (*server)->pid() != 0 && ask(root_of(**server) + "/health").status == 200; }));
    EXPECT_NE((*server)->pid(), first);
    EXPECT_GE((*server)->restarts(), 1);
}

TEST(LocalServer, StoppingDoesNotWaitForAServerThatHangs) {
    Fake fake("good");
    fake.options.health_every = milliseconds(20);
    auto server = LocalServer::start(fake.options);
    ASSERT_TRUE(server) << server.error().message;
    const Descriptor process = watch_process((*server)->pid());
    ASSERT_EQ(::kill((*server)->pid(), SIGSTOP), 0);
    server->reset();
    EXPECT_TRUE(ends(process));
}

TEST(LocalServer, GivesUpAfterItsRestarts) {
    Fake fake("dies-later");
    fake.options.max_restarts = 2;
    auto server = LocalServer::start(fake.options);
    ASSERT_TRUE(server) << server.error().message;
    ask(root_of(**server) + "/crash");
    ASSERT_TRUE(fake.eventually([&] { return fake.start_count() == 3 && (*server)->pid() == 0; }));
    EXPECT_EQ((*server)->restarts(), 2);
}

TEST(LocalServer, StopsDuringTheBackOff) {
    Fake fake("dies-later");
    fake.options.max_restarts = 1000;
    auto server = LocalServer::start(fake.options);
    ASSERT_TRUE(server) << server.error().message;
    ask(root_of(**server) + "/crash");
    ASSERT_TRUE(fake.eventually([&] { return fake.start_count() >= 4; }));
    server->reset();
}

TEST(LocalServer, AFirstStartThatDiesQuotesTheLog) {
    const Fake fake("dies");
    const auto server = LocalServer::start(fake.options);
    ASSERT_FALSE(server);
    EXPECT_EQ(server.error().code, ErrorCode::internal);
    EXPECT_THAT(server.error().message, testing::AllOf(HasSubstr("exit code 3"), HasSubstr("tensor data is bad")));
    EXPECT_EQ(fake.start_count(), 1u);
}

TEST(LocalServer, AStartHasATimeLimit) {
    for (const char* mode : {"silent", "unhealthy"}) {
        Fake fake(mode);
        fake.options.start_timeout = std::chrono::seconds(1);
        const auto server = LocalServer::start(fake.options);
        ASSERT_FALSE(server) << mode;
        EXPECT_EQ(server.error().code, ErrorCode::timeout) << mode;
    }
}

TEST(LocalServer, MissingFilesSayHowToGetThem) {
    Fake no_server("good"), no_model("good"), not_executable("good"), no_slots("good");
    no_server.options.server = "/nonexistent/llama-server";
    no_model.options.model_file = "/nonexistent/model.gguf";
    ASSERT_EQ(::chmod(not_executable.options.server.c_str(), 0644), 0);
    for (const auto* fake : {&no_server, &no_model, &not_executable}) {
        const auto server = LocalServer::start(fake->options);
        ASSERT_FALSE(server);
        EXPECT_EQ(server.error().code, ErrorCode::not_found);
        EXPECT_THAT(server.error().message, HasSubstr("make models"));
    }
    no_slots.options.slots = 0;
    EXPECT_EQ(LocalServer::start(no_slots.options).error().code, ErrorCode::invalid_argument);
}

TEST(LocalServer, AFileThatIsNoProgramIsAnError) {
    const Fake fake("good");
    ASSERT_TRUE(save_file(fake.options.server, std::string("\x7f"
                                                           "ELF garbage\0\1\2",
                                                           15)));
    ASSERT_EQ(::chmod(fake.options.server.c_str(), 0755), 0);
    const auto server = LocalServer::start(fake.options);
    ASSERT_FALSE(server);
    EXPECT_EQ(server.error().code, ErrorCode::internal);
    EXPECT_THAT(server.error().message, HasSubstr("127"));
}

TEST(LocalServer, AStubbornServerIsKilledInTime) {
    const Fake fake("stubborn");
    auto server = LocalServer::start(fake.options);
    ASSERT_TRUE(server) << server.error().message;
    const Descriptor process = watch_process((*server)->pid());
    const auto begin = std::chrono::steady_clock::now();
    server->reset();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
    EXPECT_TRUE(ends(process));
}

// What the test below runs a second time as a program of its own: it starts a server, says its pid and waits for the end.
void be_the_program_that_is_killed(int pipe) {
    const Fake fake("good");
    auto server = LocalServer::start(fake.options);
    ASSERT_TRUE(server) << server.error().message;
    const int pid = (*server)->pid();
    ASSERT_EQ(::write(pipe, &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
    ::pause();
}

TEST(LocalServer, EndsWithAProgramThatIsKilled) {
    if (const char* pipe = std::getenv("PLIMSOLL_TEST_PIPE")) return be_the_program_that_is_killed(std::atoi(pipe));
    int ends_of_pipe[2];
    ASSERT_EQ(::pipe(ends_of_pipe), 0);
    const Descriptor read_end(ends_of_pipe[0]);
    ::fcntl(ends_of_pipe[0], F_SETFD, FD_CLOEXEC);
    const fs::path program = fs::read_symlink("/proc/self/exe");
    ::setenv("PLIMSOLL_TEST_PIPE", fmt::format("{}", ends_of_pipe[1]).c_str(), 1);
    const pid_t parent = ::fork();
    if (parent == 0) {
        ::execl(program.c_str(), program.c_str(), "--gtest_filter=LocalServer.EndsWithAProgramThatIsKilled", static_cast<char*>(nullptr));
        ::_exit(1);
    }
    ::unsetenv("PLIMSOLL_TEST_PIPE");
    ::close(ends_of_pipe[1]);
    int pid = 0;
    ASSERT_EQ(::read(read_end.get(), &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
    const Descriptor process = watch_process(pid);
    ASSERT_GE(process.get(), 0);
    ::kill(parent, SIGKILL);
    ::waitpid(parent, nullptr, 0);
    EXPECT_TRUE(ends(process));
}

TEST(LocalServers, StartsEachOptionSetOnce) {
    Fake fake("good");
    fake.options.log_file.clear();
    LocalServers servers(fake.folder.path() / "logs");
    LocalServer* seen[2] = {};
    {
        std::jthread first([&] { seen[0] = servers.get(fake.options).value_or(nullptr); });
        std::jthread second([&] { seen[1] = servers.get(fake.options).value_or(nullptr); });
    }
    ASSERT_NE(seen[0], nullptr);
    EXPECT_EQ(seen[0], seen[1]);
    EXPECT_EQ(fake.start_count(), 1u);
    auto other = fake.options;
    other.slots = 1;
    other.alias = "a/b";
    const auto second = servers.get(other);
    ASSERT_TRUE(second) << second.error().message;
    EXPECT_NE(*second, seen[0]);
    EXPECT_EQ(servers.all().size(), 2u);
    EXPECT_TRUE(fs::exists(fake.folder.path() / "logs" / "fake-1.log"));
    EXPECT_TRUE(fs::exists(fake.folder.path() / "logs" / "a_b-2.log"));
}

TEST(LocalServers, TriesAFailedStartAgain) {
    const Fake fake("dies");
    LocalServers servers(fake.folder.path());
    EXPECT_FALSE(servers.get(fake.options));
    EXPECT_TRUE(servers.all().empty());
    ASSERT_TRUE(save_file(fake.options.model_file, "good"));
    EXPECT_TRUE(servers.get(fake.options));
}

// Sets an environment variable for one test.
class Environment {
  public:
    Environment(const char* name, const std::string& value) : name_(name) {
        if (const char* old = std::getenv(name)) old_ = old;
        ::setenv(name, value.c_str(), 1);
    }
    ~Environment() {
        if (old_)
            ::setenv(name_, old_->c_str(), 1);
        else
            ::unsetenv(name_);
    }

  private:
    const char* name_;
    std::optional<std::string> old_;
};

TEST(FindModelsFolder, TakesTheChosenFolderOrFails) {
    const TemporaryFolder folder;
    const Environment chosen("PLIMSOLL_MODELS", folder.path().string());
    EXPECT_EQ(find_models_folder().error().code, ErrorCode::not_found);
    EXPECT_THAT(find_models_folder().error().message, HasSubstr("make models"));
    ASSERT_TRUE(save_file(folder.path() / "bin" / "llama-server", ""));
    EXPECT_EQ(find_models_folder().value(), folder.path());
}

TEST(FindModelsFolder, LooksInTheUsersCacheLast) {
    const TemporaryFolder home;
    const Environment none("PLIMSOLL_MODELS", ""), at_home("HOME", home.path().string());
    const auto cache = home.path() / ".cache" / "plimsoll" / "models";
    ASSERT_TRUE(save_file(cache / "bin" / "llama-server", ""));
    const auto found = find_models_folder();
    ASSERT_TRUE(found);
    // A checkout with its own models answers first.
    EXPECT_TRUE(*found == cache || found->filename() == ".models");
}

// The real server and models, when they are set up.
std::optional<fs::path> real_models() {
    if (auto found = find_models_folder()) return *found;
    fs::path checkout = fs::path(PLIMSOLL_SOURCE_DIR) / ".models";
    if (fs::exists(checkout / "bin" / "llama-server")) return checkout;
    return std::nullopt;
}

LocalServerOptions real_options(const fs::path& models, const fs::path& folder, bool embeddings) {
    LocalServerOptions options;
    options.server = models / "bin" / "llama-server";
    options.model_file = models / "models" / (embeddings ? "all-MiniLM-L6-v2.f16.gguf" : "SmolLM2-135M-Instruct.Q4_0.gguf");
    options.alias = embeddings ? "minilm" : "smollm2";
    options.embeddings = embeddings;
    options.slots = 2;
    options.context_per_slot = 512;
    options.log_file = folder / "server.log";
    options.start_timeout = std::chrono::seconds(60);
    return options;
}

TEST(LocalServer, RealModelsAnswer) {
    const auto models = real_models();
    if (!models) {
        EXPECT_EQ(find_models_folder().error().code, ErrorCode::not_found);
        const char* required = std::getenv("PLIMSOLL_REQUIRE_MODELS");
        ASSERT_FALSE(required && std::string_view(required) == "1") << find_models_folder().error().message;
        return;
    }
    const TemporaryFolder folder;
    const auto chat = LocalServer::start(real_options(*models, folder.path(), false));
    ASSERT_TRUE(chat) << chat.error().message;
    EXPECT_EQ(ask(root_of(**chat) + "/health").status, 200);
    const auto answer = ask((*chat)->base_url() + "/chat/completions",
                            R"({"model":"smollm2","max_tokens":4,"messages":[{"role":"user","content":"Say hello."}]})");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(get_string(*parse_json(answer.body), "model"), "smollm2");
    EXPECT_THAT(ask((*chat)->metrics_url()).body, testing::HasSubstr("llamacpp:requests_processing"));

    const auto embedder = LocalServer::start(real_options(*models, folder.path(), true));
    ASSERT_TRUE(embedder) << embedder.error().message;
    const auto vectors = ask((*embedder)->base_url() + "/embeddings", R"({"model":"minilm","input":["one text","another"]})");
    ASSERT_EQ(vectors.status, 200) << vectors.body;
    EXPECT_EQ((*embedder)->metrics_url(), "");
    EXPECT_EQ(find(*parse_json(vectors.body), "data")->as_array().size(), 2u);
}

}  // namespace
}  // namespace plimsoll::llm
