#include "retrieval/extract.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <csignal>
#include <fstream>

#include "base/files.h"
#include "retrieval/child_process.h"
#include "retrieval/utf8.h"

namespace plimsoll::retrieval {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxTitleBytes = 120;
constexpr std::size_t kMaxHeadingBytes = 80;
constexpr std::size_t kMinProseBytes = 30;
constexpr std::size_t kPdfMarkWithin = 1024;  // readers accept "%PDF-" this far into the file

enum class Format : std::uint8_t { none, markdown, text, html, pdf };

Format format_of(const fs::path& file) {
    std::string extension = file.extension().string();
    std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (extension == ".md" || extension == ".markdown") return Format::markdown;
    if (extension == ".txt" || extension == ".text") return Format::text;
    if (extension == ".html" || extension == ".htm") return Format::html;
    if (extension == ".pdf") return Format::pdf;
    return Format::none;
}

std::string first_line(std::string_view text) {
    const std::size_t from = text.find_first_not_of(" \t\r\n#\f");
    if (from == std::string_view::npos) return "";
    std::string_view line = text.substr(from, text.find_first_of("\r\n\f", from) - from);
    line = line.substr(0, code_point_boundary(line, kMaxTitleBytes));
    return std::string(line.substr(0, line.find_last_not_of(" \t") + 1));
}

std::vector<std::string_view> split_lines(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        line = line.substr(0, line.find_last_not_of(" \t\r") + 1);
        lines.push_back(line);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

bool starts_upper(std::string_view line) { return !line.empty() && std::isupper(static_cast<unsigned char>(line[0])) != 0; }
bool starts_digit(std::string_view line) { return !line.empty() && std::isdigit(static_cast<unsigned char>(line[0])) != 0; }

// PDF and plain text do not say what a heading is. One looks like this: after a blank line, short, in upper case at the start,
// no punctuation at the end, and before a line of prose that is clearly longer. The last condition keeps the cells of a table.
bool looks_like_heading(const std::vector<std::string_view>& lines, std::size_t i) {
    const std::string_view line = lines[i];
    if ((i > 0 && !lines[i - 1].empty()) || !starts_upper(line) || line.size() > kMaxHeadingBytes) return false;
    if (std::string_view(".,;:!?|").contains(line.back())) return false;
    const std::size_t next = i + 1 < lines.size() && lines[i + 1].empty() ? i + 2 : i + 1;
    if (next >= lines.size() || !(starts_upper(lines[next]) || starts_digit(lines[next]))) return false;
    return lines[next].size() >= std::max(kMinProseBytes, line.size() * 4 / 3);
}

std::string mark_headings(std::string_view page) {
    const auto lines = split_lines(page);
    std::string text;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (looks_like_heading(lines, i)) text += "## ";
        text.append(lines[i]) += '\n';
    }
    return text;
}

// Form feeds end pages. Empty pages keep their number but are left out.
std::vector<Page> split_pages(std::string_view text) {
    std::vector<Page> pages;
    for (int number = 1; !text.empty(); ++number) {
        const std::size_t end = std::min(text.find('\f'), text.size());
        const std::string_view page = text.substr(0, end);
        if (page.find_first_not_of(" \t\r\n") != std::string_view::npos) pages.push_back({number, mark_headings(page)});
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return pages;
}

// What standard error says, on one line.
std::string first_message(const std::string& messages) {
    const std::string line = first_line(repair_utf8(messages));
    return line.empty() ? "no message" : line;
}

Result<void> check_ending(const ProcessOutput& output, const ExtractLimits& limits) {
    if (output.signal == SIGXCPU || output.signal == SIGKILL)
        return fail(ErrorCode::limit, fmt::format("pdftotext was killed at {} ms of CPU or for memory", limits.wall_time.count()));
    if (output.signal != 0) return fail(ErrorCode::parse, fmt::format("pdftotext crashed with signal {}", output.signal));
    if (output.exit_code != 0)
        return fail(ErrorCode::parse, fmt::format("pdftotext exited with {}: {}", output.exit_code, first_message(output.messages)));
    return {};
}

Result<void> check_is_pdf(const fs::path& file, const ExtractLimits& limits) {
    std::error_code error;
    const auto size = fs::file_size(file, error);
    if (error) return fail(errno_error("reading", error.value()));
    if (size > limits.max_file_bytes) return fail(ErrorCode::limit, fmt::format("larger than {} bytes", limits.max_file_bytes));
    std::string start(kPdfMarkWithin, '\0');
    std::ifstream(file, std::ios::binary).read(start.data(), static_cast<std::streamsize>(start.size()));
    if (!start.contains("%PDF-")) return fail(ErrorCode::parse, "not a PDF file");
    return {};
}

// The reading order of plain mode also joins words that were hyphenated at the end of a line; -layout would keep columns apart
// by spaces, which is of no use to a search.
Result<Document> load_pdf(const fs::path& file, const ExtractLimits& limits) {
    PLIMSOLL_TRY(check_is_pdf(file, limits));
    const auto program = find_program("pdftotext");
    if (!program) return fail(program.error().with_context("reading PDF needs poppler-utils"));
    // One page more than wanted tells whether there are more. An absolute path cannot be taken for an option.
    const std::vector<std::string> arguments = {
        "-enc", "UTF-8", "-eol", "unix", "-l", std::to_string(limits.max_pages + 1), fs::absolute(file).string(), "-"};
    const auto output = run_process(*program, arguments, {limits.wall_time, limits.memory_bytes, limits.max_output_bytes});
    if (!output) return fail(output.error().with_context("pdftotext"));
    PLIMSOLL_TRY(check_ending(*output, limits));

    Document document;
    document.pages = split_pages(repair_utf8(output->out));
    document.truncated = !document.pages.empty() && document.pages.back().number > limits.max_pages;
    if (document.truncated) document.pages.pop_back();
    if (!document.pages.empty()) document.title = first_line(document.pages.front().text);
    return document;
}

Result<Document> load_text(const fs::path& file, Format format, const ExtractLimits& limits) {
    const auto bytes =
        load_file(file, format == Format::html ? std::min(limits.max_html_bytes, limits.max_file_bytes) : limits.max_file_bytes);
    if (!bytes) return fail(bytes.error());
    if (bytes->contains('\0')) return fail(ErrorCode::unsupported, "binary data, or text that is not UTF-8");
    const std::string text = repair_utf8(*bytes);
    switch (format) {
        case Format::markdown: return parse_markdown(text);
        case Format::html: return parse_html(text);
        default: return parse_plain_text(text);
    }
}

}  // namespace

bool is_supported(const fs::path& file) { return format_of(file) != Format::none; }

Document parse_plain_text(std::string_view text) {
    Document document;
    document.title = first_line(text);
    document.pages = split_pages(text);
    return document;
}

Result<Document> load_document(const fs::path& file, const ExtractLimits& limits) {
    const Format format = format_of(file);
    if (format == Format::none) return fail(ErrorCode::unsupported, fmt::format("no reader for \"{}\" files", file.extension().string()));
    auto document = format == Format::pdf ? load_pdf(file, limits) : load_text(file, format, limits);
    if (!document) return fail(document.error());
    document->name = file.filename().string();
    if (document->title.empty()) document->title = document->name;
    return document;
}

}  // namespace plimsoll::retrieval
