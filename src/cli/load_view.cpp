#include "cli/load_view.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace plimsoll::cli {
namespace {

bool is_terminal(std::FILE* stream) {
    const char* term = std::getenv("TERM");
    return ::isatty(::fileno(stream)) != 0 && term && std::string_view(term) != "dumb";
}

}  // namespace

std::string load_line(const load::LoadProgress& progress, const load::LoadStats& stats) {
    const load::Second* second = stats.last_full_second(progress.elapsed);
    std::string line =
        fmt::format("{:.0f} s  {} started  {} in flight", load::to_seconds(progress.elapsed), progress.started, progress.calls);
    if (second && second->ended > 0) {
        line += fmt::format("  {} calls/s", second->ended);
        if (second->tokens > 0) line += fmt::format("  {} tokens/s", second->tokens);
    }
    if (const auto& latency = stats.of(load::Metric::latency); latency.count() > 0)
        line += fmt::format("  p95 {}", load::duration_text(latency.percentile(95)));
    if (stats.failed() > 0) line += fmt::format("  {} failed", stats.failed());
    if (progress.dropped > 0) line += fmt::format("  {} dropped", progress.dropped);
    if (progress.draining) line += "  draining";
    return line;
}

LoadView::LoadView(std::FILE* stream) : stream_(stream), live_(is_terminal(stream)) {}

LoadView::~LoadView() {
    if (live_ && shown_) std::fputc('\n', stream_);
}

void LoadView::update(const load::LoadProgress& progress, const load::LoadStats& stats) {
    constexpr double kPlainEvery = 5;
    const double now = load::to_seconds(progress.elapsed);
    if (now < next_s_) return;
    if (!live_ && next_s_ == 0) {
        next_s_ = kPlainEvery;
        return;
    }
    next_s_ = live_ ? now : now + kPlainEvery;
    shown_ = true;
    fmt::print(stream_, "{}{}{}", live_ ? "\r\x1b[K" : "", load_line(progress, stats), live_ ? "" : "\n");
    std::fflush(stream_);
}

}  // namespace plimsoll::cli
