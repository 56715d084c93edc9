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

std::string profile_html(const ReportView& view) {
    if (!view.profile) return "";
    const profile::Insights& insights = view.profile->insights;
    std::string out = sessions_section(insights.chosen_sessions, view.session_texts);
    out += flame_section(insights.flame);
    out += path_section(insights.critical_path);
    out += what_if_section(insights.what_if);
    out += steps_section(view.profile->step_latencies);
    out += timing_section(insights.llm_timing);
    out += load_section(insights.load);
    out += tokens_section(insights);
    if (view.profile->prefix_tree) out += prefixes_section(*view.profile->prefix_tree);
    out += failures_section(insights.error_cost, insights.wasted_work);
    out += variation_section(insights.variation, insights.cold_start);
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
