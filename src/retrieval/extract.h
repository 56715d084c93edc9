// Files become documents: plain text by page, whatever the format was. Markdown, text, HTML and PDF, told by the extension.
//
// Text of a page follows three conventions that chunk.h relies on: a blank line ends a paragraph; a heading is one line that
// starts with one to six '#' and a space; program code is indented by four spaces. List items keep their "- " or "1. ".
// Everything here blocks (PDF up to ExtractLimits::wall_time), so call it off the io threads. Any number of threads may.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace plimsoll::retrieval {

struct ExtractLimits {
    std::uint64_t max_file_bytes = 100ull << 20;
    std::uint64_t max_html_bytes = 16ull << 20;  // the HTML parser's tree is many times the file
    // Of the pdftotext process.
    std::chrono::milliseconds wall_time{20'000};
    std::uint64_t memory_bytes = 512ull << 20;
    std::uint64_t max_output_bytes = 64ull << 20;
    int max_pages = 500;
};

struct Page {
    int number = 1;  // from 1, as a PDF viewer counts; md, html and txt without form feeds have one page
    std::string text;
};

struct Document {
    std::string name;   // path relative to the ingested folder; the file's own name until ingest sets it
    std::string title;  // first heading, <title>, or first line; the file's name when there is none
    std::vector<Page> pages;
    bool truncated = false;  // pages beyond ExtractLimits::max_pages were left out
};

// True for the extensions that load_document() knows: md markdown txt text html htm pdf, any case.
bool is_supported(const std::filesystem::path& file);

// Invalid UTF-8 in text formats becomes U+FFFD. Errors: not_found (the file, or pdftotext), unsupported (extension, binary data
// under a text extension), limit (size, output, memory or CPU), timeout (pdftotext ran beyond wall_time and was killed),
// parse (no PDF, a damaged or an encrypted one), io.
Result<Document> load_document(const std::filesystem::path& file, const ExtractLimits& limits = {});

// The formats one by one, for text already in memory. The name stays empty; the title stays empty when there is none.
// Plain text and PDF do not mark their headings: short lines that stand before prose are taken for headings.
Document parse_markdown(std::string_view text);
Document parse_plain_text(std::string_view text);
// Visible text without script, style, navigation and the like. Errors: limit (parse memory or time; see html.cpp).
Result<Document> parse_html(std::string_view text);

}  // namespace plimsoll::retrieval
