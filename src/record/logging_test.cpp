#include "record/logging.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "base/log.h"

namespace plimsoll::record {
namespace {

TEST(Logging, AFileTakesItsLevelAndUp) {
    TemporaryFolder folder;
    const auto path = folder.path() / "diagnostics.log";
    ASSERT_TRUE(save_file(path, "before\n"));
    ASSERT_TRUE(start_logging("file", {{"path", path.string()}, {"level", "WARNING"}}));
    log_info("too small to keep");
    log_warning("the disk is slow");
    const std::string text = load_file(path).value_or("");
    EXPECT_TRUE(text.starts_with("before\n"));
    EXPECT_TRUE(text.contains("warning the disk is slow"));
    EXPECT_FALSE(text.contains("too small"));
}

TEST(Logging, OverwriteEmptiesTheFileFirst) {
    TemporaryFolder folder;
    const auto path = folder.path() / "diagnostics.log";
    ASSERT_TRUE(save_file(path, "before\n"));
    ASSERT_TRUE(start_logging("file", {{"path", path.string()}, {"level", "error"}, {"mode", "overwrite"}}));
    EXPECT_EQ(load_file(path).value_or("?"), "");
}

TEST(Logging, WrongSettingsAreRefused) {
    EXPECT_EQ(start_logging("console", {{"level", "LOUD"}}).error().code, ErrorCode::config);
    EXPECT_EQ(start_logging("file", {{"level", "INFO"}}).error().code, ErrorCode::config);
    EXPECT_EQ(start_logging("file", {{"path", "/dev/null/x"}, {"level", "INFO"}}).error().code, ErrorCode::io);
    EXPECT_EQ(start_logging("syslog", {}).error().code, ErrorCode::unsupported);
}

}  // namespace
}  // namespace plimsoll::record
