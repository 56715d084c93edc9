#include "llm/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string_view>

namespace plimsoll::llm {
namespace {

constexpr std::size_t kReadBytes = 64 << 10;
constexpr int kMaxLastReads = 16;    // of what is left at the end; something the child started may write on without end
constexpr int kCannotExecute = 127;  // as shells say it

// Runs between fork and exec in a program that has other threads: system calls only, no allocation, no lock.
[[noreturn]] void become(char* const* arguments, int output, pid_t parent) {
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(0);  // the parent died before the line above
    const int nothing = ::open("/dev/null", O_RDONLY);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    // Sockets of libraries that do not mark theirs must not live on in a child that may outlast them.
    ::close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
    ::execv(arguments[0], arguments);
    constexpr std::string_view kMessage = "cannot execute the program\n";
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kMessage.data(), kMessage.size());
    ::_exit(kCannotExecute);
}

}  // namespace

// By system call: Debian 12's <sys/pidfd.h> declares the function without C linkage.
Descriptor watch_process(pid_t pid) { return Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

Result<ChildProcess> ChildProcess::spawn(const std::vector<std::string>& arguments) {
    PLIMSOLL_CHECK(!arguments.empty(), "no program");
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail(errno_error("making a pipe", errno));
    Descriptor read_end(ends[0]), write_end(ends[1]);
    ::fcntl(read_end.get(), F_SETFL, O_NONBLOCK);

    std::vector<char*> pointers;
    pointers.reserve(arguments.size() + 1);
    for (const auto& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));  // execv's signature
    pointers.push_back(nullptr);

    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) return fail(errno_error(fmt::format("starting {}", arguments[0]), errno));
    if (pid == 0) become(pointers.data(), write_end.get(), parent);
    ::setpgid(pid, pid);  // here too: a group signal must reach the child even before it has run

    Descriptor exit = watch_process(pid);
    const int error_number = errno;
    const bool watched = exit.get() >= 0;
    ChildProcess child(pid, std::move(exit), std::move(read_end));
    if (!watched) return fail(errno_error("watching a child process", error_number));
    return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      exit_(std::move(other.exit_)),
      pipe_(std::move(other.pipe_)),
      pipe_open_(other.pipe_open_),
      status_(other.status_) {}

ChildProcess::~ChildProcess() {
    if (pid_ == 0) return;
    signal(SIGKILL, true);
    reap();
}

ChildProcess::Event ChildProcess::wait(int wake, std::chrono::milliseconds timeout, std::string& output) {
    // poll() skips negative descriptors, which is how a closed pipe and an absent wake drop out.
    pollfd watched[] = {{pipe_open_ ? pipe_.get() : -1, POLLIN, 0}, {exit_.get(), POLLIN, 0}, {wake, POLLIN, 0}};
    if (::poll(watched, std::size(watched), static_cast<int>(timeout.count())) <= 0) return Event::timeout;
    const bool got = watched[0].revents != 0 && read_pipe(output);
    if (watched[1].revents != 0) {
        for (int reads = 0; reads < kMaxLastReads && read_pipe(output); ++reads) {
        }
        reap();
        return Event::exited;
    }
    if (watched[2].revents != 0) return Event::woken;
    return got ? Event::output : Event::timeout;
}

void ChildProcess::signal(int number, bool group) {
    if (pid_ != 0) ::kill(group ? -pid_ : pid_, number);
}

std::string ChildProcess::ending() const {
    if (WIFSIGNALED(status_)) return fmt::format("signal {}", WTERMSIG(status_));
    return fmt::format("exit code {}", WEXITSTATUS(status_));
}

bool ChildProcess::read_pipe(std::string& output) {
    char buffer[kReadBytes];
    const ssize_t got = ::read(pipe_.get(), buffer, sizeof buffer);
    if (got > 0) output.append(buffer, static_cast<std::size_t>(got));
    if (got == 0) pipe_open_ = false;
    return got > 0;
}

void ChildProcess::reap() {
    while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
}

}  // namespace plimsoll::llm
