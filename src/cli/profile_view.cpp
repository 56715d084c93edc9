#include "cli/profile_view.h"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "base/clock.h"
#include "base/files.h"
#include "config/yaml.h"

namespace plimsoll::cli {

void add_profiled_run(const std::string& source, profile::ProfileResult profile, const event::SkipReport& skipped, const json::value& rows,
                      report::ReportView& view) {
    const auto* list = rows.if_array();
    for (const profile::ChosenSession& chosen : profile.insights.chosen_sessions) {
        const auto row = static_cast<std::size_t>(chosen.request_number);
        if (!list || row >= list->size()) continue;
        view.session_texts[chosen.session] = {get_string((*list)[row], "question").value_or(""),
                                              get_string((*list)[row], "generated_answer").value_or("")};
    }
    report::add_profile(view, std::move(profile));
    view.skipped = skipped;
    view.about.push_back({source, "profiled run"});
}

Result<profile::PriceTable> load_prices(const std::string& file) {
    if (file.empty()) return profile::PriceTable{};
    const auto text = load_file(file);
    if (!text) return fail(text.error());
    config::Problems problems;
    const auto tree = config::parse_yaml(*text, problems.add_source(file), problems);
    if (!tree || problems.has_error()) return fail(ErrorCode::config, problems.in_file_order().front().text());
    auto prices = profile::parse_prices(config::to_json(*tree));
    if (!prices) return fail(prices.error().with_context(file));
    return prices;
}

Result<void> check_session(std::optional<std::size_t> session, std::size_t sessions) {
    if (!session || *session < sessions) return {};
    return fail(ErrorCode::invalid_argument, fmt::format("--session {}: there are {} sessions, counted from 0", *session, sessions));
}

std::string format_percent(double share) { return fmt::format("{:.0f} %", 100 * share); }

Result<void> save_report(report::ReportView& view, const std::filesystem::path& file) {
    view.about.push_back({"plimsoll " PLIMSOLL_VERSION, "made by"});
    view.about.push_back({to_iso8601(system_clock()()).substr(0, 19) + " UTC", "on"});
    view.about.push_back({fmt::format("{} cores", ::sysconf(_SC_NPROCESSORS_ONLN)), "machine"});
    return save_file(file, report::render_html(view));
}

}  // namespace plimsoll::cli
