// A test of the program in a temporary folder of its own.
#pragma once

#include <gtest/gtest.h>

#include "base/files.h"
#include "base/json.h"
#include "program.h"

namespace plimsoll::test {

class FolderTest : public testing::Test {
  protected:
    std::filesystem::path folder() const { return folder_.path(); }
    void write(const std::string& name, const std::string& text) { ASSERT_TRUE(save_file(folder() / name, text)); }
    std::string read(const std::filesystem::path& file) { return load_file(folder() / file).value(); }
    json::value read_json(const std::filesystem::path& file) { return parse_json(read(file)).value(); }
    bool exists(const std::filesystem::path& file) { return std::filesystem::exists(folder() / file); }
    // `plimsoll eval --config_file eval.yml` and more.
    Finished eval(const std::vector<std::string>& more = {}) {
        std::vector<std::string> arguments = {"eval", "--config_file", "eval.yml"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run_program(arguments, folder());
    }

  private:
    TemporaryFolder folder_;
};

}  // namespace plimsoll::test
