#include "retrieval/extract.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "base/clock.h"
#include "base/files.h"
#include "retrieval/child_process.h"
#include "retrieval/utf8.h"

namespace plimsoll::retrieval {
namespace {

using testing::HasSubstr;

// A small but complete PDF, one line of text a page.
std::string make_pdf(const std::vector<std::string>& pages) {
    std::vector<std::string> objects;
    std::string kids;
    for (std::size_t i = 0; i < pages.size(); ++i) kids += fmt::format("{} 0 R ", 4 + 2 * i);
    objects.push_back("<< /Type /Catalog /Pages 2 0 R >>");
    objects.push_back(fmt::format("<< /Type /Pages /Kids [{}] /Count {} >>", kids, pages.size()));
    objects.push_back("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>");
    for (std::size_t i = 0; i < pages.size(); ++i) {
        objects.push_back(fmt::format(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {} 0 R /Resources << /Font << /F1 3 0 R >> >> >>", 5 + 2 * i));
        const std::string stream = fmt::format("BT /F1 12 Tf 72 720 Td ({}) Tj ET", pages[i]);
        objects.push_back(fmt::format("<< /Length {} >>\nstream\n{}\nendstream", stream.size(), stream));
    }
    std::string pdf = "%PDF-1.4\n", table;
    for (std::size_t i = 0; i < objects.size(); ++i) {
        table += fmt::format("{:010} 00000 n \n", pdf.size());
        pdf += fmt::format("{} 0 obj\n{}\nendobj\n", i + 1, objects[i]);
    }
    const std::size_t table_at = pdf.size();
    return pdf + fmt::format("xref\n0 {}\n0000000000 65535 f \n{}trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{}\n%%EOF\n",
                             objects.size() + 1, table, objects.size() + 1, table_at);
}

class Extract : public testing::Test {
  protected:
    std::filesystem::path write(const std::string& name, std::string_view content) {
        const auto path = folder_.path() / name;
        EXPECT_TRUE(save_file(path, content));
        return path;
    }
    // A program that load_document() will find instead of the real pdftotext.
    void install_pdftotext(const std::string& script) {
        const auto path = write("bin/pdftotext", "#!/bin/sh\n" + script + "\n");
        std::filesystem::permissions(path, std::filesystem::perms::owner_all);
        ASSERT_EQ(::setenv("PATH", path.parent_path().c_str(), 1), 0);
    }
    void TearDown() override { ::setenv("PATH", old_path_.c_str(), 1); }

    TemporaryFolder folder_;
    std::string old_path_ = std::getenv("PATH");
};

TEST_F(Extract, MarkdownLosesItsMarks) {
    const auto document =
        load_document(write("a.md",
                            "---\nauthor: x\n---\n# Queues *and* load\n\nA **bold** and `snake_case` [link](http://x.y/z), 2 * 3 < 7.\n"
                            "Second line<br>.\n\nSetext\n------\n\n* item one\n* item two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"
                            "```sh\n# not a heading\nrun *x*\n```\n<!-- hidden\nstill -->\n![plot](p.png)\n"));
    ASSERT_TRUE(document) << document.error().message;
    EXPECT_EQ(document->title, "Queues and load");
    EXPECT_EQ(document->name, "a.md");
    ASSERT_EQ(document->pages.size(), 1u);
    EXPECT_EQ(document->pages[0].text,
              "# Queues and load\n\n\nA bold and snake_case link, 2 * 3 < 7.\nSecond line.\n\n## Setext\n\n\n- item one\n- item two\n\n| a "
              "| b |\n| 1 | 2 |\n\n"
              "    # not a heading\n    run *x*\nplot\n");
}

TEST_F(Extract, MarkdownSurvivesWhatIsNone) {
    std::string nested_links(300'000, '[');
    for (int i = 0; i < 300'000; ++i) nested_links += "](x)";
    for (const std::string& text :
         {std::string(), std::string("#"), std::string("[[[[](("), std::string("```\nopen"), std::string("---\nopen"), std::string("<"),
          std::string(200'000, '['), std::string(200'000, '<'), std::string(100'000, '*'), std::string("\\"), nested_links})
        EXPECT_EQ(parse_markdown(text).pages.size(), 1u);
    EXPECT_EQ(parse_markdown("Text\n```\ncode\n```\n---\n").title, "");
}

TEST_F(Extract, TextIsSplitAtFormFeeds) {
    const auto document = load_document(write("a.txt", "First line\nmore\n\f\n \n\fthird page"));
    ASSERT_TRUE(document);
    EXPECT_EQ(document->title, "First line");
    ASSERT_EQ(document->pages.size(), 2u);
    EXPECT_EQ(document->pages[1].number, 3);
    EXPECT_EQ(document->pages[1].text, "third page\n");
}

TEST_F(Extract, HeadingsOfPlainTextAreTheShortLinesBeforeProse) {
    const std::string prose = "A sentence of prose that is long enough to be one.\n";
    EXPECT_EQ(parse_plain_text(fmt::format("Title\n\n{0}\nDirect heading\n{0}", prose)).pages[0].text,
              fmt::format("## Title\n\n{0}\n## Direct heading\n{0}", prose));
    for (const std::string& text :
         {"Ends with a stop.\n\n" + prose, "lower case\n\n" + prose, std::string("Cell\n\nCell\n\nCell\n"),
          "First line of a paragraph that wraps at some width\n" + prose, prose + "Short line within a paragraph\n" + prose})
        EXPECT_EQ(parse_plain_text(text).pages[0].text, text);
}

TEST_F(Extract, InvalidUtf8IsRepairedAndBinaryRefused) {
    EXPECT_EQ(load_document(write("a.txt", "\xEF\xBB\xBFgr\xFCn \xC3\xBC \xED\xA0\x80 \xC0\xAF"))->pages[0].text,
              "gr\uFFFDn ü \uFFFD\uFFFD\uFFFD \uFFFD\uFFFD\n");
    EXPECT_EQ(load_document(write("b.txt", std::string("a\0b", 3))).error().code, ErrorCode::unsupported);
    EXPECT_EQ(load_document(write("c.docx", "x")).error().code, ErrorCode::unsupported);
    EXPECT_EQ(load_document(folder_.path() / "none.md").error().code, ErrorCode::not_found);
    ExtractLimits limits;
    limits.max_file_bytes = 10;
    EXPECT_EQ(load_document(write("d.txt", "eleven byte"), limits).error().code, ErrorCode::limit);
    EXPECT_EQ(load_document(write("d.pdf", "%PDF-1.4 and more"), limits).error().code, ErrorCode::limit);
    EXPECT_EQ(load_document(write("e.txt", ""))->title, "e.txt");
}

TEST_F(Extract, HtmlLeavesTheVisibleText) {
    const auto document = load_document(
        write("a.html",
              "<html><head><title> Load &amp; limits </title><style>p{}</style></head><body><nav>menu</nav><script>var x;</script>"
              "<h1>Head <b>line</b></h1><p>One  &eacute; two.<br>Three.</p><ul><li>first</li><li>second</li></ul><p hidden>no</p>"
              "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table><pre>x = 1\ny = 2</pre></body></html>"));
    ASSERT_TRUE(document) << document.error().message;
    EXPECT_EQ(document->title, "Load & limits");
    EXPECT_EQ(document->pages[0].text,
              "# Head line\n\nOne é two.\nThree.\n\n- first\n- second\n\na | b |\n1 | 2 |\n\n    x = 1\n    y = 2\n\n");
    EXPECT_EQ(parse_html("<h2>Only</h2>a heading")->title, "Only");
}

TEST_F(Extract, HtmlSurvivesGarbage) {
    for (const char* text : {"", "<", "<!DOCTYPE", "plain", "<p", "</div></div>", "<title>", "&#xFFFFFFF;", "<table><div></table></div>"})
        EXPECT_TRUE(parse_html(text)) << text;
}

TEST_F(Extract, HostileHtmlEndsWithinItsBounds) {
    std::string nested, formatting;
    for (int i = 0; i < 200'000; ++i) nested += "<div>";
    for (int i = 0; i < 20'000; ++i) formatting += fmt::format("<font size={}><p>", i);
    for (const std::string& text : {nested, formatting}) {
        const Deadline generous = Deadline::after(std::chrono::seconds(60));
        const auto document = parse_html(text);
        ASSERT_FALSE(document);
        EXPECT_EQ(document.error().code, ErrorCode::limit);
        EXPECT_FALSE(generous.passed());
    }
}

TEST_F(Extract, PdfPagesKeepTheirNumbers) {
    const auto file = write("-l.pdf", make_pdf({"Capacity of a queue", "", "Third page"}));
    const auto document = load_document(file);
    ASSERT_TRUE(document) << document.error().message;
    EXPECT_EQ(document->title, "Capacity of a queue");
    ASSERT_EQ(document->pages.size(), 2u);
    EXPECT_EQ(document->pages[1].number, 3);
    EXPECT_THAT(document->pages[1].text, HasSubstr("Third page"));
    EXPECT_FALSE(document->truncated);
    ExtractLimits limits;
    limits.max_pages = 2;
    const auto shorter = load_document(file, limits);
    ASSERT_TRUE(shorter);
    EXPECT_EQ(shorter->pages.size(), 1u);
    EXPECT_TRUE(shorter->truncated);
}

TEST_F(Extract, WhatIsNoPdfIsAParseError) {
    const std::string pdf = make_pdf({"text"});
    EXPECT_EQ(load_document(write("script.pdf", "#!/bin/sh\necho pwned\n")).error().code, ErrorCode::parse);
    EXPECT_EQ(load_document(write("empty.pdf", "")).error().code, ErrorCode::parse);
    EXPECT_EQ(load_document(write("head.pdf", "%PDF-1.7\n\x01\x02 garbage")).error().code, ErrorCode::parse);
    EXPECT_EQ(load_document(write("cut.pdf", std::string_view(pdf).substr(0, 60))).error().code, ErrorCode::parse);
}

TEST_F(Extract, MissingPdftotextIsSaid) {
    ::setenv("PATH", folder_.path().c_str(), 1);
    EXPECT_EQ(load_document(write("a.pdf", make_pdf({"x"}))).error().code, ErrorCode::not_found);
}

TEST_F(Extract, PdftotextIsHeldToItsLimits) {
    const auto file = write("a.pdf", make_pdf({"x"}));
    ExtractLimits limits;
    limits.wall_time = std::chrono::milliseconds(300);
    limits.memory_bytes = 64u << 20;
    limits.max_output_bytes = 1u << 20;
    const Deadline generous = Deadline::after(std::chrono::seconds(30));

    install_pdftotext("exec /bin/sleep 60");
    EXPECT_EQ(load_document(file, limits).error().code, ErrorCode::timeout);
    limits.wall_time = std::chrono::seconds(20);
    install_pdftotext("exec /usr/bin/yes");
    EXPECT_EQ(load_document(file, limits).error().code, ErrorCode::limit);
    install_pdftotext("x=0123456789abcdef; while :; do x=$x$x; done");
    EXPECT_EQ(load_document(file, limits).error().code, ErrorCode::parse);
    install_pdftotext("kill -SEGV $$");
    EXPECT_EQ(load_document(file, limits).error().code, ErrorCode::parse);
    install_pdftotext("echo 'Incorrect password' >&2; exit 1");
    const auto encrypted = load_document(file, limits);
    EXPECT_EQ(encrypted.error().code, ErrorCode::parse);
    EXPECT_THAT(encrypted.error().message, HasSubstr("Incorrect password"));
    limits.wall_time = std::chrono::seconds(1);
    install_pdftotext("while :; do :; done");
    EXPECT_THAT(load_document(file, limits).error().code, testing::AnyOf(ErrorCode::limit, ErrorCode::timeout));
    EXPECT_FALSE(generous.passed());
}

bool has_died(const std::string& pid) {
    const auto stat = load_file("/proc/" + pid + "/stat");
    return !stat || stat->contains(") Z ");
}

TEST_F(Extract, NothingOfTheChildRemains) {
    install_pdftotext("/bin/sleep 600 & echo $!");
    const auto output = run_process(folder_.path() / "bin/pdftotext", {}, {});
    ASSERT_TRUE(output) << output.error().message;
    EXPECT_EQ(output->exit_code, 0);
    const std::string pid = output->out.substr(0, output->out.find('\n'));
    const Deadline generous = Deadline::after(std::chrono::seconds(30));
    while (!has_died(pid) && !generous.passed()) std::this_thread::yield();
    EXPECT_TRUE(has_died(pid));
}

TEST_F(Extract, ChildHasNoEnvironmentAndNoInput) {
    ::setenv("PLIMSOLL_TEST_SECRET", "s3cret", 1);
    const auto environment = run_process("/usr/bin/env", {}, {});
    ::unsetenv("PLIMSOLL_TEST_SECRET");
    ASSERT_TRUE(environment);
    EXPECT_EQ(environment->out, "");
    const auto input = run_process("/bin/cat", {}, {});
    ASSERT_TRUE(input);
    EXPECT_EQ(input->out, "");
    EXPECT_EQ(input->exit_code, 0);
    EXPECT_EQ(run_process(folder_.path() / "none", {}, {})->exit_code, 127);
}

TEST(Utf8, CutsBetweenCodePoints) {
    EXPECT_EQ(code_point_boundary("aü", 2), 1u);
    EXPECT_EQ(code_point_boundary("aü", 3), 3u);
    EXPECT_EQ(code_point_boundary("aü", 9), 3u);
    EXPECT_TRUE(is_valid_utf8("ü😀"));
    EXPECT_FALSE(is_valid_utf8("\xF5\x80\x80\x80"));
    EXPECT_FALSE(is_valid_utf8("\xE2\x82"));
}

}  // namespace
}  // namespace plimsoll::retrieval
