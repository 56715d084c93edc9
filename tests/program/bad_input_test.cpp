// What a stranger does wrong, and servers that misbehave: one clear error with its place, the right exit code, and nothing lost.
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <sstream>

#include "configs.h"
#include "fixture.h"

namespace plimsoll::test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class BadInput : public FolderTest {
  protected:
    json::value output(const std::string& name) { return read_json(std::filesystem::path("out") / name); }
};

TEST_F(BadInput, MissingConfigFile) {
    const auto result = eval();
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, HasSubstr("eval.yml"));
}

TEST_F(BadInput, WrongFlagIsAUsageError) {
    const auto result = run_program({"eval", "--no_such_flag"}, folder());
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_EQ(run_program({}, folder()).exit_code, 2);
    EXPECT_EQ(run_program({"nonsense"}, folder()).exit_code, 2);
}

TEST_F(BadInput, UnknownWordsAreNamedInTheirOrder) {
    struct Case {
        std::vector<std::string> arguments;
        const char* said;
    };
    for (const auto& [arguments, said] :
         {Case{{"evl"}, "there is no command \"evl\"; did you mean eval?"}, Case{{"nonsense", "x"}, "(there are eval, profile, run, "},
          Case{{"sizing", "clac"}, "plimsoll sizing: there is no command \"clac\"; did you mean calc?"},
          Case{{"eval", "--config_flie", "x"}, "plimsoll eval: --config_flie x were not expected; did you mean --config_file?"},
          Case{{"validate", "--config_file", "x", "b", "a", "c"}, "b a c were not expected"},
          Case{{"--nope"}, "--nope was not expected"}}) {
        const auto result = run_program(arguments, folder());
        EXPECT_EQ(result.exit_code, 2);
        EXPECT_THAT(result.err, HasSubstr(said));
    }
}

TEST_F(BadInput, BrokenYamlNamesFileLineAndColumn) {
    write("eval.yml", "llms:\n  a: {_type: openai\nworkflow: [\n");
    const auto result = eval();
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, ContainsRegex("eval\\.yml:[0-9]+:[0-9]+"));
}

TEST_F(BadInput, DanglingReferenceNamesItsLineAndEveryOtherProblem) {
    write("eval.yml",
          "llms:\n  model:\n    _type: openai\n    model_name: m\n    temperature: hot\nworkflow:\n  _type: chat_completion\n  llm_name: "
          "modle\n");
    const auto result = eval();
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, ContainsRegex("eval\\.yml:8:[0-9]+.*modle"));
    EXPECT_THAT(result.err, ContainsRegex("eval\\.yml:5:[0-9]+.*temperature"));
}

TEST_F(BadInput, UnknownKeyWarnsWithASuggestionAndFailsWhenStrict) {
    write("eval.yml",
          "llms:\n  model:\n    _type: openai\n    model_name: m\nworkflow:\n  _type: chat_completion\n  llm_name: model\n  sistem_prompt: "
          "x\n");
    const auto lenient = run_program({"validate", "--config_file", "eval.yml"}, folder());
    EXPECT_EQ(lenient.exit_code, 0);
    EXPECT_THAT(lenient.err, AllOf(HasSubstr("eval.yml:8"), HasSubstr("system_prompt")));
    EXPECT_EQ(run_program({"validate", "--config_file", "eval.yml", "--strict"}, folder()).exit_code, 1);
    EXPECT_EQ(run_program({"-q", "validate", "--config_file", "eval.yml"}, folder()).err, "");
}

TEST_F(BadInput, MissingDatasetIsNamed) {
    write("eval.yml", chat_config("http://127.0.0.1:1/v1"));
    const auto result = eval();
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, HasSubstr("dataset.json"));
}

TEST_F(BadInput, RowWithoutAQuestionIsCountedAndTheRestRuns) {
    const SimulatedModel model(folder());
    write("eval.yml", chat_config(model.url()));
    write("dataset.json",
          R"([{"id": 1, "question": "a?"}, {"id": 2, "answer": "no question"}, {"id": 3, "question": "  "}, {"id": 4, "question": "b?"}])");
    const auto result = eval();
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(output("workflow_output.json").as_array().size(), 2u);
    EXPECT_THAT(result.err, HasSubstr("question"));
}

// Every way in which a model server can fail a session: exit code 1, the row is there with its error, the steps are kept.
struct Fault {
    const char* name;
    const char* code;  // of the session's error
    friend std::ostream& operator<<(std::ostream& out, const Fault& fault) { return out << fault.name; }
};

class ModelFault : public BadInput, public testing::WithParamInterface<Fault> {};

TEST_P(ModelFault, FailsTheSessionAndNothingElse) {
    const SimulatedModel model(folder(), {"--fault", std::string(GetParam().name) + "=1"});
    write("eval.yml", chat_config(model.url(), "    request_timeout: 0.3\n    num_retries: 1\n"));
    write("dataset.json", R"([{"id": 1, "question": "a?"}, {"id": 2, "question": "b?"}])");
    const auto result = eval();
    EXPECT_EQ(result.exit_code, 1) << result.err;
    const json::value rows = output("workflow_output.json");
    ASSERT_EQ(rows.as_array().size(), 2u);
    const json::value* error = find(rows.as_array()[0], "session_error");
    ASSERT_NE(error, nullptr) << rows;
    EXPECT_EQ(get_string(*error, "code"), GetParam().code) << rows;
    EXPECT_THAT(load_file(folder() / "out" / "all_requests_profiler_traces.json").value(), HasSubstr("LLM_START"));
    EXPECT_EQ(eval({"--allow_failures"}).exit_code, 0);
}

INSTANTIATE_TEST_SUITE_P(All, ModelFault,
                         testing::Values(Fault{"500", "http_status"}, Fault{"429", "http_status"}, Fault{"hang", "timeout"},
                                         Fault{"hang_mid", "timeout"}, Fault{"reset", "bad_response"}, Fault{"cut", "bad_response"},
                                         Fault{"garbage", "bad_response"}, Fault{"bad_json", "bad_response"},
                                         Fault{"html", "bad_response"}),
                         [](const auto& fault) { return "fault_" + std::string(fault.param.name); });

TEST_F(BadInput, UnreachableEndpointIsAConnectError) {
    write("eval.yml", chat_config("http://127.0.0.1:1/v1", "    num_retries: 1\n"));
    write("dataset.json", R"([{"id": 1, "question": "a?"}])");
    EXPECT_EQ(eval().exit_code, 1);
    EXPECT_EQ(get_string(*find(output("workflow_output.json").as_array()[0], "session_error"), "code"), "connect");
}

// Of all that a run leaves behind and prints, but for the copy of the user's own file.
void expect_nowhere(const std::string& secret, const std::filesystem::path& folder, const Finished& result) {
    for (const auto& file : std::filesystem::recursive_directory_iterator(folder)) {
        if (!file.is_regular_file() || file.path().filename() == "config_original.yml") continue;
        EXPECT_THAT(load_file(file.path()).value(), Not(HasSubstr(secret))) << file.path();
    }
    EXPECT_THAT(result.out + result.err, Not(HasSubstr(secret)));
}

TEST_F(BadInput, WrongKeyIsSaidAndNeverShown) {
    const SimulatedModel model(folder(), {"--api_key", "right"});
    write("eval.yml", chat_config(model.url(), "    api_key: very-secret-wrong-key\n"));
    write("dataset.json", R"([{"id": 1, "question": "a?"}])");
    const auto result = eval();
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(output("workflow_output.json").as_array()[0].at("session_error").at("message").as_string().c_str(), HasSubstr("401"));
    expect_nowhere("very-secret-wrong-key", folder() / "out", result);
}

TEST_F(BadInput, SecretsOfTheCommandLineAreWrittenNowhere) {
    const SimulatedModel model(folder(), {"--api_key", "very-secret"});
    write("eval.yml", chat_config(model.url()));
    write("dataset.json", many_questions(2));
    const auto local = eval({"--override", "llms.model.api_key", "very-secret"});
    EXPECT_EQ(local.exit_code, 0) << local.err;
    expect_nowhere("very-secret", folder() / "out", local);
    EXPECT_EQ(output("config_metadata.json").at("overrides").at(0).at("path"), "llms.model.api_key");

    Program server({"serve", "--config_file", "eval.yml", "--override", "llms.model.api_key", "very-secret", "--port", "0"}, folder());
    std::string url = server.wait_for_line("listening on ");
    url.replace(0, url.find("http://") + 7, "http://user:very-secret@");
    const auto remote = eval({"--endpoint", url});
    EXPECT_EQ(remote.exit_code, 0) << remote.err;
    expect_nowhere("very-secret", folder() / "out", remote);

    const auto sizing = run_program({"sizing", "calc", "--config_file", "eval.yml", "--calc_output_dir", "calc", "--concurrencies", "1,2",
                                     "--num_passes", "1", "--override", "llms.model.max_tokens", "7", "--endpoint", url},
                                    folder());
    EXPECT_EQ(sizing.exit_code, 0) << sizing.err;
    expect_nowhere("very-secret", folder() / "calc", sizing);
    for (const auto& job : std::filesystem::directory_iterator(folder() / "calc" / "online"))
        EXPECT_EQ(read_json(job.path() / "concurrency_1" / "config_metadata.json").at("overrides").as_array().size(), 1u);
}

TEST_F(BadInput, FullDiskIsSaidOnceAndEndsTheRun) {
    const SimulatedModel model(folder());
    write("eval.yml", chat_config(model.url()));
    write("dataset.json", many_questions(50));
    constexpr int kBlocks = 400;
    const auto result = Program({"eval", "--config_file", "eval.yml"}, folder(), {}, kBlocks).finish();
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, HasSubstr("events.jsonl"));

    // What had ended is on the disk and is not asked for again.
    std::vector<std::string> ended;
    std::istringstream log(read("out/events.jsonl"));
    for (std::string line; std::getline(log, line);)
        if (line.contains("\"t\":\"end\"")) ended.push_back(line);
    ASSERT_FALSE(ended.empty());
    ASSERT_LT(ended.size(), 50u);
    const auto resumed = run_program({"eval", "--resume", "out"}, folder());
    EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
    EXPECT_EQ(output("workflow_output.json").as_array().size(), 50u);
    const std::string after = read("out/events.jsonl");
    for (const std::string& line : ended) EXPECT_THAT(after, HasSubstr(line));
    EXPECT_EQ(count_of(after, "\"t\":\"end\""), 50u);
}

TEST_F(BadInput, PortInUseIsNamed) {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(socket, 1), 0);
    socklen_t length = sizeof address;
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length);
    const std::string port = std::to_string(ntohs(address.sin_port));
    write("eval.yml", chat_config("http://127.0.0.1:1/v1"));
    for (std::vector<std::string> command : {std::vector<std::string>{"sim", "serve"}, {"serve", "--config_file", "eval.yml"}}) {
        command.insert(command.end(), {"--port", port});
        const auto result = run_program(command, folder());
        EXPECT_EQ(result.exit_code, 1);
        EXPECT_THAT(result.err, HasSubstr(port));
    }
    ::close(socket);
}

TEST_F(BadInput, AbsentCollectorCostsOneWarning) {
    const SimulatedModel model(folder());
    write(
        "eval.yml",
        "general:\n  telemetry:\n    tracing:\n      otel:\n        _type: otelcollector\n        endpoint: http://127.0.0.1:1/v1/traces\n"
        "        project: p\n" +
            chat_config(model.url()));
    write("dataset.json", many_questions(5));
    const auto result = eval();
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(count_of(result.err, "warning"), 1u) << result.err;
}

// Processor time of the processes that have ended so far.
std::chrono::microseconds children_time() {
    rusage usage{};
    ::getrusage(RUSAGE_CHILDREN, &usage);
    const auto of = [](const timeval& time) { return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec); };
    return of(usage.ru_utime) + of(usage.ru_stime);
}

// Processor time, because tests share the machine; with a core to itself the program takes no longer than that.
TEST_F(BadInput, HelpIsQuick) {
    auto best = std::chrono::microseconds::max();
    for (int i = 0; i < 10; ++i) {
        const auto before = children_time();
        EXPECT_EQ(run_program({"--help"}, folder()).exit_code, 0);
        best = std::min(best, children_time() - before);
    }
    EXPECT_LE(best, std::chrono::milliseconds(20 * (PLIMSOLL_SLOW_BUILD ? 10 : 1)));
}

}  // namespace
}  // namespace plimsoll::test
