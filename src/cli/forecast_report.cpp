#include "cli/forecast_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <set>

#include "base/files.h"
#include "cli/pictures.h"
#include "cli/profile_view.h"
#include "report/forecast_plots.h"

namespace plimsoll::cli {
namespace {

using report::format_duration;

// The list under `key`; an empty one when there is none.
const json::array& list_of(const json::value& object, std::string_view key) {
    static const json::array none;
    const auto* found = find(object, key);
    return found && found->is_array() ? found->get_array() : none;
}

double number_of(const json::value& object, std::string_view key) { return get_number(object, key).value_or(0); }

std::optional<int> whole_of(const json::value& object, std::string_view key) {
    const auto number = get_int(object, key);
    if (!number) return std::nullopt;
    return static_cast<int>(*number);
}

struct Bounded {
    double value = 0, low = 0, high = 0;
};
Bounded bounded_of(const json::value& object, std::string_view key) {
    const auto* found = find(object, key);
    if (!found) return {};
    return {number_of(*found, "value"), number_of(*found, "low"), number_of(*found, "high")};
}

std::map<int, double> nat_line(const json::value& forecast) {
    std::map<int, double> out;
    const auto* line = find(forecast, "nat_linear");
    if (!line || !line->is_object()) return out;
    for (const auto& [users, seconds] : line->get_object()) {
        int count = 0;
        std::from_chars(users.data(), users.data() + users.size(), count);
        if (count > 0 && seconds.is_number()) out[count] = seconds.to_number<double>();
    }
    return out;
}

report::ForecastCurves make_curves(const json::value& forecast) {
    report::ForecastCurves curves;
    for (const json::value& level : list_of(forecast, "measured_levels")) {
        const auto measured = get_number(level, "measured_p95");
        if (!measured) continue;
        report::ForecastCurves::Level point{.concurrency = whole_of(level, "concurrency").value_or(0), .measured = *measured, .played = {}};
        if (const auto error = get_number(level, "p95_error")) point.played = *measured * (1 + *error);
        curves.levels.push_back(point);
    }
    for (const json::value& one : list_of(forecast, "forecasts")) {
        const auto [value, low, high] = bounded_of(one, "workflow_p95");
        curves.forecasts.push_back({whole_of(one, "users").value_or(0), value, low, high, number_of(one, "sessions_per_second"),
                                    whole_of(one, "replicas_needed")});
    }
    if (const auto* held = find(forecast, "holdout"); held && held->is_object())
        curves.held_out = {whole_of(*held, "concurrency").value_or(0), number_of(*held, "measured"), number_of(*held, "predicted")};
    curves.nat_linear = nat_line(forecast);
    const auto* slo = find(forecast, "slo");
    const bool of_calls = slo && get_string(*slo, "metric") == "llm";
    const auto target = slo ? get_number(*slo, "seconds") : std::nullopt;
    if (!of_calls) curves.target = target;
    curves.knee_users = whole_of(forecast, "knee_users").value_or(0);
    if (const auto* sweep = find(forecast, "replica_sweep"); sweep && sweep->is_object()) {
        curves.sweep = {.users = whole_of(*sweep, "users").value_or(0), .of = of_calls ? "model call" : "session", .target = target};
        for (const json::value& point : list_of(*sweep, "points"))
            curves.sweep->points.push_back({number_of(point, "p95_high"), number_of(point, "replicas")});
    }
    return curves;
}

report::TableView make_table(const json::value& forecast) {
    report::TableView table;
    table.head = {"Users",    "p95 session", "90 % interval", "p95 model call", "Sessions a minute", "Meets the target",
                  "Replicas", "GPUs",        "NAT's line"};
    const auto nat = nat_line(forecast);
    const auto count_text = [](const json::value& one, std::string_view key) {
        const auto count = whole_of(one, key);
        return count ? fmt::format("{}", *count) : std::string();
    };
    const auto replicas_text = [&](const json::value& one) {
        const std::string needed = count_text(one, "replicas_needed"), expected = count_text(one, "replicas_expected");
        return expected.empty() ? needed : fmt::format("{} ({} expected)", needed.empty() ? "?" : needed, expected);
    };
    for (const json::value& one : list_of(forecast, "forecasts")) {
        const int users = whole_of(one, "users").value_or(0);
        const auto [value, low, high] = bounded_of(one, "workflow_p95");
        const auto meets = get_number(one, "meets_slo");
        const auto line = nat.find(users);
        table.rows.push_back({fmt::format("{}", users), format_duration(value),
                              fmt::format("{} to {}", format_duration(low), format_duration(high)),
                              format_duration(bounded_of(one, "llm_p95").value),
                              report::format_short(60 * number_of(one, "sessions_per_second")), meets ? format_percent(*meets) : "",
                              replicas_text(one), count_text(one, "gpus_needed"), line == nat.end() ? "" : format_duration(line->second)});
    }
    return table;
}

// What the answer rests on without having seen it.
std::optional<std::string> reliance_of(const json::value& forecast) {
    std::set<std::string> limits;
    std::vector<std::string> bounds;
    for (const json::value& one : list_of(forecast, "forecasts")) {
        const auto* wrong = find(one, "if_limit_is_wrong");
        if (!wrong) continue;
        for (const json::value& name : list_of(*wrong, "limits")) limits.insert(to_text(name));
        const auto high = get_number(*wrong, "high");
        const std::string bound = high ? fmt::format("up to {}", format_duration(*high)) : std::string("without bound");
        bounds.push_back(fmt::format("{} at {} users", bound, whole_of(one, "users").value_or(0)));
    }
    if (limits.empty()) return std::nullopt;
    return fmt::format("Relies on limits that the measurement did not reach: {}. If they are no higher than what was measured, p95 is {}.",
                       fmt::join(limits, ", "), fmt::join(bounds, ", "));
}

void add_facts(const json::value& forecast, report::ReportView& view) {
    if (const auto bottleneck = get_string(forecast, "bottleneck"); bottleneck && !bottleneck->empty())
        view.facts.push_back({*bottleneck, "bottleneck"});
    if (const auto knee = whole_of(forecast, "knee_users"); knee && *knee > 0)
        view.facts.push_back({fmt::format("{}", *knee), "users at the knee"});
    if (const auto* held = find(forecast, "holdout"); held && held->is_object())
        view.facts.push_back({fmt::format("{:+.0f} %", 100 * number_of(*held, "error")),
                              fmt::format("error on the held-out level, {} at once", whole_of(*held, "concurrency").value_or(0))});
    if (const auto next = whole_of(forecast, "next_concurrency"))
        view.facts.push_back({fmt::format("{}", *next), "concurrency worth measuring next"});
}

}  // namespace

Result<void> add_forecast(const json::value& forecast, report::ReportView& view) {
    const auto* forecasts = find(forecast, "forecasts");
    if (!forecasts || !forecasts->is_array()) return fail(ErrorCode::parse, "forecasts: missing");
    report::ForecastView section;
    const auto refused = get_string(forecast, "refused");
    if (refused) {
        section.statements.push_back(fmt::format("No forecast: {}.", *refused));
        if (view.headline.empty()) view.headline = section.statements.back();
    } else if (!forecasts->get_array().empty()) {
        const json::value& most = forecasts->get_array().back();
        const auto [value, low, high] = bounded_of(most, "workflow_p95");
        view.headline = fmt::format("{} users: p95 of a session {} ({} to {})", whole_of(most, "users").value_or(0), format_duration(value),
                                    format_duration(low), format_duration(high));
    }
    add_facts(forecast, view);
    if (auto reliance = reliance_of(forecast)) section.statements.push_back(std::move(*reliance));
    for (const json::value& warning : list_of(forecast, "warnings")) section.statements.push_back(to_text(warning) + ".");
    section.pictures = report::make_forecast_pictures(make_curves(forecast));
    section.table = make_table(forecast);
    view.forecast = std::move(section);
    return {};
}

Result<void> save_forecast_page(const json::value& forecast, const std::filesystem::path& file) {
    report::ReportView view{.title = "Plimsoll forecast"};
    PLIMSOLL_TRY(add_forecast(forecast, view));
    return save_report(view, file);
}

Result<void> save_forecast(const json::value& forecast, const std::filesystem::path& folder) {
    PLIMSOLL_TRY(save_file(folder / kForecastJson, to_pretty_json(forecast) + "\n"));
    PLIMSOLL_TRY(save_forecast_page(forecast, folder / "report.html"));
    save_pictures(folder, report::make_forecast_pictures(make_curves(forecast)));
    return {};
}

}  // namespace plimsoll::cli
