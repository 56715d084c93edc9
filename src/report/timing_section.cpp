#include <fmt/format.h>

#include "report/plot.h"
#include "report/sections.h"

namespace plimsoll::report {
namespace {

std::string seconds_or_nothing(const profile::Distribution& distribution, double profile::Distribution::* member) {
    return distribution.n > 0 ? format_duration(distribution.*member) : "";
}

void add_rows(TableView& table, std::string_view what, const std::vector<profile::LlmTiming>& timings) {
    using profile::Distribution;
    for (const profile::LlmTiming& timing : timings) {
        table.rows.push_back({fmt::format("{} {}", what, timing.name), fmt::format("{}", timing.calls),
                              seconds_or_nothing(timing.ttft, &Distribution::p50), seconds_or_nothing(timing.ttft, &Distribution::p95),
                              seconds_or_nothing(timing.itl, &Distribution::p50), seconds_or_nothing(timing.itl, &Distribution::p95),
                              seconds_or_nothing(timing.itl, &Distribution::p99),
                              timing.tokens_per_s.n > 0 ? format_short(timing.tokens_per_s.p50) : "",
                              seconds_or_nothing(timing.queueing, &Distribution::p95)});
    }
}

}  // namespace

std::string timing_html(const profile::LlmTimings& timings) {
    if (timings.models.empty()) return "";
    TableView table{
        .head = {"Calls of", "Calls", "First token p50", "p95", "Between tokens p50", "p95", "p99", "Tokens/s p50", "Queued p95"}};
    add_rows(table, "model", timings.models);
    add_rows(table, "function", timings.functions);
    std::string body = table_html(table);
    bool queueing_known = timings.session_queueing.n > 0;
    for (const auto& model : timings.models) queueing_known = queueing_known || model.queueing.n > 0;
    if (timings.session_queueing.n > 0)
        body += paragraph_html(fmt::format("A session waited {} in its client before it began (p95), {} at the median.",
                                           format_duration(timings.session_queueing.p95), format_duration(timings.session_queueing.p50)));
    if (!queueing_known)
        body += "<p class=\"note\">The trace does not say when calls were meant to start, so queueing in the client is unknown.</p>\n";
    return body;
}

}  // namespace plimsoll::report
