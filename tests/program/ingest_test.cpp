// `plimsoll ingest` on a folder of good and bad documents.
#include <gmock/gmock.h>

#include "configs.h"
#include "fixture.h"

namespace plimsoll::test {
namespace {

using testing::HasSubstr;

class Ingest : public FolderTest {
  protected:
    void SetUp() override {
        write("c.yml", research_config(model_.url(), model_.url()));
        write("docs/bin.txt", std::string("\0\1 binary", 10));
    }
    Finished ingest() { return run_program({"ingest", "--config_file", "c.yml", "--folder", "docs", "--collection", "docs.db"}, folder()); }
    SimulatedModel model_{folder()};
};

TEST_F(Ingest, ADocumentThatFailsIsNamedOnce) {
    write("docs/a.md", "# A\n\nSome text below a heading.\n");
    for (int i = 0; i < 2; ++i) {  // the second time nothing is new
        const auto result = ingest();
        EXPECT_EQ(result.exit_code, 0) << result.err;
        EXPECT_EQ(count_of(result.out + result.err, "bin.txt"), 1u) << result.out << result.err;
        EXPECT_THAT(result.err, HasSubstr("bin.txt: binary data"));
    }
}

TEST_F(Ingest, WithoutOneReadableDocumentItFails) {
    const auto result = ingest();
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.out, HasSubstr("1 failed"));
    EXPECT_THAT(result.err, HasSubstr("no document of the folder could be read"));
}

}  // namespace
}  // namespace plimsoll::test
