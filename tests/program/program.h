// Runs the built program as a user would, for tests: real processes, real sockets, waited for by what they print.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace plimsoll::test {

struct Finished {
    int exit_code = -1;  // 128 + signal when it was killed
    std::string out;
    std::string err;
};

class Program {
  public:
    using Environment = std::map<std::string, std::string>;

    // Starts build/plimsoll with these arguments in `folder`. With `max_file_blocks` no file it writes may grow beyond that many
    // blocks of 512 bytes: writes then fail as on a full disk. Standard input is `input`.
    Program(const std::vector<std::string>& arguments, const std::filesystem::path& folder, const Environment& environment = {},
            int max_file_blocks = 0, const std::filesystem::path& input = "/dev/null");
    ~Program();  // kills what still runs
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    // Reads on in standard output until a line contains `text` and returns that line; empty when the output ended without it.
    std::string wait_for_line(const std::string& text);
    void send_signal(int signal);
    // Waits for the end; a program that takes longer than a minute is killed.
    Finished finish();
    pid_t pid() const { return pid_; }

  private:
    pid_t pid_ = -1;
    int out_fd_ = -1;
    std::string out_;
    std::size_t searched_ = 0;  // so much of out_ wait_for_line() has passed
    std::filesystem::path err_file_;
};

Finished run_program(const std::vector<std::string>& arguments, const std::filesystem::path& folder,
                     const Program::Environment& environment = {});

// The simulated model server as a process of its own.
class SimulatedModel {
  public:
    explicit SimulatedModel(const std::filesystem::path& folder, std::vector<std::string> flags = {});
    const std::string& url() const { return url_; }  // "http://127.0.0.1:PORT/v1"

  private:
    Program program_;
    std::string url_;
};

}  // namespace plimsoll::test
