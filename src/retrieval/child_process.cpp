#include "retrieval/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "base/clock.h"
#include "base/descriptor.h"

namespace plimsoll::retrieval {
namespace {

namespace fs = std::filesystem;

constexpr int kExecFailed = 127;
constexpr int kOpenFiles = 64;  // enough for a PDF reader and its fonts
// A process that closed its output and lives on is noticed by looking, this often.
constexpr std::chrono::milliseconds kLook{20};

struct Pipe {
    Descriptor read, write;
    Result<void> open() {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(errno_error("making a pipe", errno));
        read = Descriptor(ends[0]);
        write = Descriptor(ends[1]);
        return {};
    }
};

void set_limit(decltype(RLIMIT_CPU) resource, rlim_t value) {
    const rlimit limit{value, value};
    ::setrlimit(resource, &limit);
}

// Everything that the child needs between fork and exec, made before: there only async-signal-safe calls are allowed.
struct ChildPlan {
    const char* program;
    char* const* arguments;
    int input, output, messages;
    pid_t parent;
    rlim_t memory_bytes, cpu_seconds;
};

[[noreturn]] void run_child(const ChildPlan& plan) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != plan.parent) ::_exit(kExecFailed);  // the parent died before the line above
    ::dup2(plan.input, STDIN_FILENO);
    ::dup2(plan.output, STDOUT_FILENO);
    ::dup2(plan.messages, STDERR_FILENO);
    set_limit(RLIMIT_AS, plan.memory_bytes);
    set_limit(RLIMIT_CPU, plan.cpu_seconds);
    set_limit(RLIMIT_CORE, 0);
    set_limit(RLIMIT_FSIZE, 0);
    set_limit(RLIMIT_NOFILE, kOpenFiles);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    char* const environment[] = {nullptr};
    ::execve(plan.program, plan.arguments, environment);
    ::_exit(kExecFailed);
}

// The started child. Whatever path is taken, its group is killed and it is reaped: the kill comes before the reaping, so that the
// group's id cannot have passed to anybody else.
class Child {
  public:
    explicit Child(pid_t pid) : pid_(pid) {}
    ~Child() { reap(); }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    bool has_ended() const {
        siginfo_t info{};
        return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_;
    }
    void kill_group() const { ::kill(-pid_, SIGKILL); }
    // The wait status.
    int reap() {
        if (pid_ < 0) return status_;
        kill_group();
        while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
        }
        pid_ = -1;
        return status_;
    }

  private:
    pid_t pid_;
    int status_ = 0;
};

// Reads once; closes the end when the writers have gone.
void read_some(Descriptor& end, std::string& out) {
    std::array<char, 1 << 16> block;
    const ssize_t got = ::read(end.get(), block.data(), block.size());
    if (got > 0)
        out.append(block.data(), static_cast<std::size_t>(got));
    else if (got == 0 || errno != EINTR)
        end.close();
}

Result<void> collect(Child& child, Descriptor& out_end, Descriptor& message_end, const ProcessLimits& limits, ProcessOutput& output) {
    const Deadline deadline = Deadline::after(limits.wall_time);
    bool swept = false;
    while (out_end.is_open() || message_end.is_open() || !child.has_ended()) {
        if (deadline.passed()) return fail(ErrorCode::timeout, fmt::format("killed after {} ms", limits.wall_time.count()));
        // A grandchild may hold the pipes open after the child has ended.
        if (!swept && child.has_ended()) {
            child.kill_group();
            swept = true;
        }
        std::array<pollfd, 2> ends{pollfd{out_end.get(), POLLIN, 0}, pollfd{message_end.get(), POLLIN, 0}};  // poll skips fd -1
        if (::poll(ends.data(), ends.size(), static_cast<int>(kLook.count())) <= 0) continue;
        if (ends[0].revents) read_some(out_end, output.out);
        if (ends[1].revents) read_some(message_end, output.messages);
        if (output.out.size() > limits.max_output_bytes)
            return fail(ErrorCode::limit, fmt::format("killed after more than {} bytes of output", limits.max_output_bytes));
        output.messages.resize(std::min(output.messages.size(), kMaxMessageBytes));
    }
    return {};
}

}  // namespace

Result<fs::path> find_program(const std::string& name) {
    const char* variable = std::getenv("PATH");
    std::string_view folders = variable ? variable : "/usr/local/bin:/usr/bin:/bin";
    while (!folders.empty()) {
        const std::string_view folder = folders.substr(0, folders.find(':'));
        fs::path file = fs::path(folder) / name;
        std::error_code error;
        if (!folder.empty() && fs::is_regular_file(file, error) && ::access(file.c_str(), X_OK) == 0) return file;
        folders.remove_prefix(std::min(folders.size(), folder.size() + 1));
    }
    return fail(ErrorCode::not_found, fmt::format("{} is not in PATH", name));
}

Result<ProcessOutput> run_process(const fs::path& program, const std::vector<std::string>& arguments, const ProcessLimits& limits) {
    Pipe out, messages;
    PLIMSOLL_TRY(out.open());
    PLIMSOLL_TRY(messages.open());
    Descriptor input;
    input = Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!input.is_open()) return fail(errno_error("opening /dev/null", errno));

    std::string name = program.filename().string();
    std::vector<std::string> copies = arguments;
    std::vector<char*> argv{name.data()};
    for (std::string& argument : copies) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const auto cpu = std::chrono::ceil<std::chrono::seconds>(limits.wall_time);
    const ChildPlan plan{program.c_str(),      argv.data(), input.get(),         out.write.get(),
                         messages.write.get(), ::getpid(),  limits.memory_bytes, static_cast<rlim_t>(cpu.count())};

    const pid_t pid = ::fork();
    if (pid < 0) return fail(errno_error("starting a process", errno));
    if (pid == 0) run_child(plan);
    ::setpgid(pid, pid);  // here too, so that a kill cannot come before the child has done it
    Child child(pid);
    out.write.close();
    messages.write.close();

    ProcessOutput output;
    PLIMSOLL_TRY(collect(child, out.read, messages.read, limits, output));
    const int status = child.reap();
    if (WIFSIGNALED(status))
        output.signal = WTERMSIG(status);
    else
        output.exit_code = WEXITSTATUS(status);
    return output;
}

}  // namespace plimsoll::retrieval
