#include <CLI/CLI.hpp>
#include <cctype>
#include <cstdio>
#include <map>
#include <memory>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/workflow_host.h"

namespace plimsoll::cli {
namespace {

struct RunFlags {
    ConfigFlags config;
    std::vector<std::string> inputs;
    std::string log_dir = ".plimsoll/logs";
    bool stream = true;
};

// Shows what the session says while it runs. Parallel writers speak at once, so a voice is printed a sentence at a time.
class StreamPrinter {
  public:
    void operator()(const json::value& event) {
        if (const auto answer = get_string(event, "answer")) {
            answer_ += *answer;
            std::fputs(answer->c_str(), stdout);
            std::fflush(stdout);
            return;
        }
        const auto piece = get_string(event, "piece");
        if (!piece) {
            for (auto& [of, said] : voices_) flush(of, said);
            return print_line("event", to_text(event));
        }
        const std::string of = get_string(event, "of").value_or("");
        std::string& said = voices_[of] += *piece;
        if (said.ends_with(". ") || said.ends_with(".\n") || said.ends_with("\n\n")) flush(of, said);
    }

    // Says what is not said yet and ends the line, so that whatever comes next begins one.
    void finish() {
        for (auto& [of, said] : voices_) flush(of, said);
        if (!answer_.empty() && !answer_.ends_with('\n')) std::putchar('\n');
        std::fflush(stdout);
    }

    const std::string& answer() const { return answer_; }

  private:
    static void print_line(const std::string& of, const std::string& text) {
        std::printf("[%s] %s\n", of.c_str(), text.c_str());
        std::fflush(stdout);
    }
    static void flush(const std::string& of, std::string& said) {
        while (!said.empty() && std::isspace(static_cast<unsigned char>(said.back()))) said.pop_back();
        if (!said.empty()) print_line(of, said);
        said.clear();
    }

    std::map<std::string, std::string> voices_;
    std::string answer_;  // as it was streamed
};

namespace asio = boost::asio;

asio::awaitable<void> run_one(std::shared_ptr<event::Session> session, WorkflowHost& host, json::value input, Result<json::value>& result) {
    result = co_await functions::run_session(std::move(session), host.workflow_type(), host.workflow(), std::move(input), {});
}

Result<void> run_inputs(const RunFlags& flags) {
    const auto config = load_config(flags.config);
    if (!config) return fail(config.error());
    auto host = WorkflowHost::make(*config, 1, flags.log_dir);
    if (!host) return fail(host.error());
    for (std::size_t i = 0; i < flags.inputs.size(); ++i) {
        event::SessionInfo info;
        info.number = static_cast<std::int64_t>(i);
        auto session = event::Session::make(std::move(info), (*host)->sinks(), system_clock(), Random::from_entropy()(), false);
        const auto printer = std::make_shared<StreamPrinter>();
        if (flags.stream) session->set_stream_writer([printer](const json::value& event) { (*printer)(event); });
        Result<json::value> result = fail(ErrorCode::internal, "the session did not run");
        (*host)->pool().run([&] { return run_one(session, **host, json::value(flags.inputs[i]), result); });
        printer->finish();
        if (!result) return fail(result.error());
        const std::string text = to_text(*result);
        if (printer->answer() != text) std::printf("%s%s\n", flags.stream ? "\n" : "", text.c_str());
    }
    return {};
}

}  // namespace

void add_run_command(CLI::App& app, Run& run) {
    auto* command = app.add_subcommand("run", "one session on the terminal, streamed as it happens");
    const auto flags = std::make_shared<RunFlags>();
    add_config_flags(*command, flags->config, true);
    command->add_option("--input", flags->inputs, "question; may be repeated")->required();
    command->add_flag("--stream,!--no-stream", flags->stream, "show the session while it runs");
    command->add_option("--log_dir,--log-dir", flags->log_dir, "logs of local model servers")->capture_default_str();
    command->callback([&run, flags] {
        run = [flags] {
            const auto done = run_inputs(*flags);
            if (!done) log_error("{}", done.error().message);
            return done ? 0 : 1;
        };
    });
}

}  // namespace plimsoll::cli
