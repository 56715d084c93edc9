// One supervised child process: standard output and error arrive on a pipe, its end on a pidfd, and the kernel kills it
// when the thread that spawned it ends, even by kill -9 of the whole program.
//
// Spawn it from a thread that outlives it and use it from that thread only. Destroying it kills the child and reaps it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/descriptor.h"
#include "base/error.h"

namespace plimsoll::llm {

// Readable once the process has ended; it need not be our child. Negative, with errno, when there is no such process.
Descriptor watch_process(pid_t pid);

class ChildProcess {
  public:
    // `arguments` begins with the program's path. The child leads a process group of its own, so that Ctrl-C in a terminal
    // reaches this program only, and inherits no descriptor but the pipe. Errors: io. A program that cannot be executed is
    // a child that writes so and exits with 127.
    static Result<ChildProcess> spawn(const std::vector<std::string>& arguments);

    ChildProcess(ChildProcess&& other) noexcept;
    ChildProcess& operator=(ChildProcess&&) = delete;
    ~ChildProcess();

    enum class Event : unsigned char { output, exited, woken, timeout };

    // The next thing that happens, `wake` becoming readable included (-1: nothing to wake). What the child wrote is appended
    // to `output`; with `exited` that is all there was. Call no more after `exited`.
    Event wait(int wake, std::chrono::milliseconds timeout, std::string& output);

    // To the child alone; to its whole group when `group`, for what a wrapper script started.
    void signal(int number, bool group = false);

    pid_t pid() const { return pid_; }
    // "exit code 1" or "signal 9"; only after `exited`.
    std::string ending() const;

  private:
    ChildProcess(pid_t pid, Descriptor exit, Descriptor pipe) : pid_(pid), exit_(std::move(exit)), pipe_(std::move(pipe)) {}
    bool read_pipe(std::string& output);
    void reap();

    pid_t pid_ = 0;  // 0 once reaped: the number may then belong to somebody else
    Descriptor exit_;
    Descriptor pipe_;
    bool pipe_open_ = true;
    int status_ = 0;
};

}  // namespace plimsoll::llm
