#include "eval/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <string_view>

namespace plimsoll::eval {
namespace {

constexpr double kPlainLineIntervalSeconds = 2;

std::string format_eta(double seconds) {
    const auto whole = static_cast<long>(std::ceil(seconds));
    if (whole < 60) return fmt::format("{}s", whole);
    if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
    return fmt::format("{}h{:02}m", whole / 3600, whole % 3600 / 60);
}

// Numbers as Python's tabulate prints them: shortest form of four decimals.
std::string format_average(const std::optional<double>& average) {
    return average ? fmt::format("{:g}", std::strtod(fmt::format("{:.4f}", *average).c_str(), nullptr)) : "None";
}

std::size_t fraction_width(const std::string& number) {
    const std::size_t point = number.find('.');
    return point == std::string::npos ? 0 : number.size() - point;
}

std::string render_table(const std::vector<Summary::EvaluatorLine>& lines) {
    constexpr std::size_t kMinPadding = 2;  // tabulate's own for a column of numbers
    const std::string_view names[] = {"Evaluator", "Avg Score", "Output File"};
    std::vector<std::string> numbers;
    std::size_t fraction = 0;
    for (const auto& line : lines) {
        numbers.push_back(format_average(line.average));
        fraction = std::max(fraction, fraction_width(numbers.back()));
    }
    std::size_t widths[] = {names[0].size(), names[1].size() + kMinPadding, names[2].size()};
    for (std::size_t i = 0; i < lines.size(); ++i) {
        numbers[i].append(fraction - fraction_width(numbers[i]), ' ');  // points below each other
        widths[0] = std::max(widths[0], lines[i].name.size());
        widths[1] = std::max(widths[1], numbers[i].size());
        widths[2] = std::max(widths[2], lines[i].file.size());
    }
    std::string out = fmt::format("| {:<{}} | {:>{}} | {:<{}} |\n", names[0], widths[0], names[1], widths[1], names[2], widths[2]);
    out += fmt::format("|{:-<{}}|{:-<{}}|{:-<{}}|\n", "", widths[0] + 2, "", widths[1] + 2, "", widths[2] + 2);
    for (std::size_t i = 0; i < lines.size(); ++i)
        out += fmt::format("| {:<{}} | {:>{}} | {:<{}} |\n", lines[i].name, widths[0], numbers[i], widths[1], lines[i].file, widths[2]);
    return out;
}

// "3 of 8 (2 timeout, 1 connect); first: …"
std::string render_errors(const std::vector<Error>& errors, std::size_t of) {
    std::map<std::string_view, int> by_code;
    for (const Error& error : errors) ++by_code[to_string(error.code)];
    std::string kinds;
    for (const auto& [code, count] : by_code) kinds += fmt::format("{}{} {}", kinds.empty() ? "" : ", ", count, code);
    return fmt::format("{} of {} ({}); first: {}", errors.size(), of, kinds, errors.front().message);
}

}  // namespace

std::string progress_line(const Progress& progress) {
    std::string line = fmt::format("done {} running {} failed {} of {}", progress.done, progress.running, progress.failed, progress.total);
    const std::size_t ended = progress.done - progress.resumed;
    if (ended > 0 && progress.done < progress.total)
        line += " ETA " + format_eta(progress.elapsed_s / static_cast<double>(ended) * static_cast<double>(progress.total - progress.done));
    return line;
}

ProgressPrinter::Style ProgressPrinter::style_of(std::FILE* stream) {
    const char* terminal = std::getenv("TERM");
    const char* no_colour = std::getenv("NO_COLOR");
    const bool live = ::isatty(::fileno(stream)) == 1 && !(terminal && std::string_view(terminal) == "dumb");
    return {live, live && !(no_colour && *no_colour)};
}

ProgressPrinter::~ProgressPrinter() {
    if (style_.live && !shown_.empty()) fmt::print(stream_, "\n");
}

void ProgressPrinter::update(const Progress& progress) {
    const std::string line = progress_line(progress);
    if (line == shown_) return;
    if (style_.live) {
        const bool red = style_.colour && progress.failed > 0;
        constexpr std::string_view kToLineEnd = "\x1b[K";
        fmt::print(stream_, "\r{}{}{}{}", red ? "\x1b[31m" : "", line, red ? "\x1b[0m" : "", kToLineEnd);
    } else {
        const bool first = shown_.empty() && progress.done > progress.resumed;
        const bool last = progress.done == progress.total;
        if (!first && !last && progress.elapsed_s - shown_at_s_ < kPlainLineIntervalSeconds) return;
        fmt::print(stream_, "{}\n", line);
    }
    std::fflush(stream_);
    shown_ = line;
    shown_at_s_ = progress.elapsed_s;
}

std::string render_degraded(const Summary& summary) {
    if (summary.degraded == 0) return "";
    const std::size_t calls = summary.answered_calls + summary.failed_calls.size();
    return fmt::format("Failed Model Calls: {}\nDegraded Items: {} of {}, which ended without what those calls were for\n",
                       render_errors(summary.failed_calls, calls), summary.degraded, summary.items);
}

std::string render_summary(const Summary& summary) {
    std::string out = "\n=== EVALUATION SUMMARY ===\n";
    out += fmt::format("Workflow Status: {} ({})\n", summary.interrupted ? "INTERRUPTED" : "COMPLETED", summary.output_files);
    if (!summary.failures.empty()) out += fmt::format("Failed Items: {}\n", render_errors(summary.failures, summary.items));
    out += render_degraded(summary);
    out += fmt::format("Total Runtime: {:.2f}s\n", summary.total_runtime_s);
    if (summary.workflow_runtime_p95_s) out += fmt::format("Workflow Runtime (p95): {:.2f}s\n", *summary.workflow_runtime_p95_s);
    if (summary.llm_latency_p95_s) out += fmt::format("LLM Latency (p95): {:.2f}s\n", *summary.llm_latency_p95_s);
    if (!summary.evaluators.empty()) out += "\nPer evaluator results:\n" + render_table(summary.evaluators);
    return out;
}

}  // namespace plimsoll::eval
