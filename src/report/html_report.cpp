#include "report/html_report.h"

#include <fmt/format.h>

#include "report/canvas.h"
#include "report/page_style.h"
#include "report/sections.h"

namespace plimsoll::report {
namespace {

std::string facts_html(const std::vector<Fact>& facts) {
    std::string out = "<ul class=\"facts\">";
    for (const Fact& fact : facts)
        out += fmt::format("<li><b>{}</b><span>{}</span></li>", escape_html(fact.value), escape_html(fact.label));
    return out + "</ul>\n";
}

// What one analysis has to say in a section, by the name that it has among the profile's failures.
struct Part {
    std::string_view analysis;
    std::string html;
};

std::string part_html(const profile::ProfileResult& profile, const Part& part) {
    for (const auto& [analysis, error] : profile.failures)
        if (analysis == part.analysis)
            return fmt::format("<p class=\"note\">{} was not finished: {}</p>\n", escape_html(analysis), escape_html(error.message));
    return part.html;
}

std::string profile_html(const ReportView& view) {
    if (!view.profile) return "";
    const profile::ProfileResult& profile = *view.profile;
    const profile::Insights& insights = profile.insights;
    const auto section = [&](std::string_view id, std::string_view title, const std::vector<Part>& parts) {
        std::string body;
        for (const Part& part : parts) body += part_html(profile, part);
        return section_html(id, title, body);
    };
    std::string out =
        section("sessions", "Sessions worth a look", {{"chosen_sessions", sessions_html(insights.chosen_sessions, view.session_texts)}});
    out += section("flame", "All sessions merged: flame graph", {{"flame_graph", flame_html(insights.flame)}});
    out += section("path", "Critical path", {{"critical_path", path_html(insights.critical_path)}});
    out += section("what-if", "What if a step were faster?", {{"what_if", what_if_html(insights.what_if)}});
    out += section("steps", "Latency by step", {{"step_latencies", steps_html(profile.step_latencies)}});
    out += section("timing", "Tokens over time", {{"llm_timing", timing_html(insights.llm_timing)}});
    out += section("load", "Concurrency", {{"load_curve", load_html(insights.load)}});
    out += section("tokens", "Tokens",
                   {{"token_histograms", token_histograms_html(insights)},
                    {"token_cost", insights.token_cost ? token_cost_html(*insights.token_cost) : ""}});
    out += section("prefixes", "How prompts begin",
                   {{"prompt_caching_prefixes", profile.prefix_tree ? prefixes_html(*profile.prefix_tree) : ""}});
    out += section("failures", "Failures and waste",
                   {{"error_cost", failed_calls_html(insights.error_cost)}, {"wasted_work", wasted_work_html(insights.wasted_work)}});
    const bool any_calls = !profile.step_latencies.empty();
    out +=
        section("variation", "From session to session",
                {{"variation", variation_html(insights.variation)}, {"cold_start", any_calls ? cold_start_html(insights.cold_start) : ""}});
    out += section("skipped", "What could not be read", {{"", skipped_html(view.skipped, profile.orphan_steps)}});
    return out;
}

}  // namespace

std::string section_html(std::string_view id, std::string_view title, const std::string& body) {
    if (body.empty()) return "";
    return fmt::format("<section id=\"{}\"><h2>{}</h2>\n{}</section>\n", id, escape_html(title), body);
}

std::string legend_html() {
    return "<p class=\"legend\"><i style=\"background:var(--llm)\"></i>LLM<i style=\"background:var(--tool)\"></i>tool"
           "<i style=\"background:var(--function)\"></i>function<i style=\"background:var(--workflow)\"></i>workflow"
           "<i style=\"background:var(--other)\"></i>other<i style=\"background:var(--failed)\"></i>✕ failed</p>\n";
}

std::string findings_section(const std::vector<std::string>& findings) {
    std::string body;
    for (const std::string& finding : findings) body += paragraph_html(finding);
    return section_html("findings", "Where the time goes", body);
}

std::string render_html(const ReportView& view) {
    std::string out = fmt::format(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        "<title>{0}</title><style>{1}</style></head><body><main>\n<header><h1>{0}</h1><p class=\"headline\">{2}</p></header>\n",
        escape_html(view.title), kPageStyle, escape_html(view.headline));
    out += facts_html(view.facts);
    if (view.sizing) out += sizing_section(*view.sizing);
    if (view.forecast) out += forecast_section(*view.forecast);
    if (view.load) out += load_run_section(*view.load);
    out += findings_section(view.findings);
    out += profile_html(view);
    out += "<footer><dl>";
    for (const Fact& fact : view.about) out += fmt::format("<dt>{}</dt><dd>{}</dd>", escape_html(fact.label), escape_html(fact.value));
    return out + "</dl></footer>\n</main></body></html>\n";
}

}  // namespace plimsoll::report
