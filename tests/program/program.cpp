#include "program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <stdexcept>

#include "base/files.h"

extern char** environ;

namespace plimsoll::test {
namespace {

constexpr auto kPatience = std::chrono::seconds(60);

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (std::string& text : texts) out.push_back(text.data());
    out.push_back(nullptr);
    return out;
}

std::vector<std::string> make_environment(const Program::Environment& extra) {
    std::vector<std::string> out;
    for (char** entry = environ; *entry; ++entry) {
        const std::string text = *entry;
        if (!extra.contains(text.substr(0, text.find('=')))) out.push_back(text);
    }
    for (const auto& [name, value] : extra) out.push_back(name + "=" + value);
    return out;
}

bool wait_readable(int fd, std::chrono::steady_clock::time_point until) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    pollfd entry{fd, POLLIN, 0};
    return left.count() > 0 && ::poll(&entry, 1, static_cast<int>(left.count())) > 0;
}

}  // namespace

Program::Program(const std::vector<std::string>& arguments, const std::filesystem::path& folder, const Environment& environment,
                 int max_file_blocks, const std::filesystem::path& input) {
    static std::atomic<int> counter = 0;
    err_file_ = folder / (".stderr." + std::to_string(++counter));
    int pipe_fds[2];
    if (::pipe2(pipe_fds, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    out_fd_ = pipe_fds[0];

    std::vector<std::string> command = {PLIMSOLL_PROGRAM};
    if (max_file_blocks > 0)
        command = {"/bin/sh", "-c", "ulimit -f " + std::to_string(max_file_blocks) + "; exec \"$0\" \"$@\"", PLIMSOLL_PROGRAM};
    command.insert(command.end(), arguments.begin(), arguments.end());
    std::vector<std::string> variables = make_environment(environment);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
    posix_spawn_file_actions_addopen(&actions, 0, input.c_str(), O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], 1);
    posix_spawn_file_actions_addopen(&actions, 2, err_file_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int error =
        ::posix_spawn(&pid_, command.front().c_str(), &actions, nullptr, pointers(command).data(), pointers(variables).data());
    posix_spawn_file_actions_destroy(&actions);
    ::close(pipe_fds[1]);
    if (error != 0) throw std::runtime_error("cannot start " PLIMSOLL_PROGRAM);
}

Program::~Program() {
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    ::close(out_fd_);
}

void Program::send_signal(int signal) { ::kill(pid_, signal); }

std::string Program::wait_for_line(const std::string& text) {
    const auto until = std::chrono::steady_clock::now() + kPatience;
    for (;;) {
        for (std::size_t newline; (newline = out_.find('\n', searched_)) != std::string::npos;) {
            const std::string line = out_.substr(searched_, newline - searched_);
            searched_ = newline + 1;
            if (line.find(text) != std::string::npos) return line;
        }
        if (!wait_readable(out_fd_, until)) return "";
        char buffer[4096];
        const ssize_t got = ::read(out_fd_, buffer, sizeof buffer);
        if (got <= 0) return "";
        out_.append(buffer, static_cast<std::size_t>(got));
    }
}

Finished Program::finish() {
    const auto until = std::chrono::steady_clock::now() + kPatience;
    for (;;) {
        if (!wait_readable(out_fd_, until)) {
            ::kill(pid_, SIGKILL);
            break;
        }
        char buffer[4096];
        const ssize_t got = ::read(out_fd_, buffer, sizeof buffer);
        if (got <= 0) break;
        out_.append(buffer, static_cast<std::size_t>(got));
    }
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    Finished finished;
    finished.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    finished.out = out_;
    finished.err = load_file(err_file_).value_or("");
    return finished;
}

Finished run_program(const std::vector<std::string>& arguments, const std::filesystem::path& folder,
                     const Program::Environment& environment) {
    return Program(arguments, folder, environment).finish();
}

namespace {

std::vector<std::string> sim_arguments(std::vector<std::string> flags) {
    std::vector<std::string> out = {"sim", "serve", "--port", "0", "--ttft", "0.005", "--tokens", "16"};
    out.insert(out.end(), flags.begin(), flags.end());
    return out;
}

}  // namespace

SimulatedModel::SimulatedModel(const std::filesystem::path& folder, std::vector<std::string> flags)
    : program_(sim_arguments(std::move(flags)), folder) {
    const std::string line = program_.wait_for_line("listening on ");
    const std::size_t at = line.find("http://");
    if (at == std::string::npos) throw std::runtime_error("the simulated model did not start: " + line);
    url_ = line.substr(at) + "/v1";
}

}  // namespace plimsoll::test
