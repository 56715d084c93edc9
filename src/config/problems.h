// Collects what is wrong while a configuration is read, and gives it back in file order. One object a load, one thread.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "config/node.h"

namespace plimsoll::config {

class Problems {
  public:
    // More than this many are summed up in one last problem; nobody reads on.
    static constexpr std::size_t kMaxShown = 200;

    // Registers a file, or an override; its index is Mark::source.
    int add_source(std::string name);

    void error(const Mark& mark, std::string path, std::string message);
    void warning(const Mark& mark, std::string path, std::string message);

    bool has_error() const;
    std::vector<Problem> in_file_order() const;

  private:
    struct Entry {
        Mark mark;
        Problem problem;
    };
    void add(Problem::Severity severity, const Mark& mark, std::string path, std::string message);
    std::string place(const Mark& mark) const;  // "eval.yml:12:5"

    std::vector<std::string> sources_;
    std::vector<Entry> entries_;
};

// "a.b", or "b" when `parent` is empty.
std::string join_path(const std::string& parent, const std::string& key);

}  // namespace plimsoll::config
