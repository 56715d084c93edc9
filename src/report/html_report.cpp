#include "report/html_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/markdown.h"

namespace plimsoll::report {
namespace {

constexpr std::string_view kStyle = R"(
:root{--ink:#1f2937;--muted:#6b7280;--rule:#e5e7eb;--accent:#2b6cb0}
*{box-sizing:border-box}
body{margin:0;background:#f3f4f6;color:var(--ink);font:16px/1.55 system-ui,"Segoe UI","DejaVu Sans",sans-serif}
main{max-width:1120px;margin:0 auto;padding:32px 20px 64px}
header h1{margin:0;font-size:1.15rem;color:var(--muted);font-weight:600}
.headline{margin:.35rem 0 1.4rem;font-size:1.75rem;line-height:1.25;font-weight:650;max-width:46ch}
.facts{display:flex;flex-wrap:wrap;gap:12px;margin:0 0 24px;padding:0;list-style:none}
.facts li{flex:1 1 150px;background:#fff;border:1px solid var(--rule);border-radius:8px;padding:12px 16px}
.facts b{display:block;font-size:1.35rem;line-height:1.3}
.facts span{color:var(--muted);font-size:.85rem}
section{background:#fff;border:1px solid var(--rule);border-radius:8px;padding:20px 24px;margin:0 0 20px}
h2{margin:0 0 .6rem;font-size:1.15rem}
p{margin:.4rem 0;max-width:80ch}
svg{display:block;width:100%;height:auto}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:16px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.9rem;min-width:50%}
th,td{padding:5px 14px 5px 0;border-bottom:1px solid var(--rule);text-align:right;white-space:nowrap}
th.t,td.t{text-align:left}
th{color:var(--muted);font-weight:600}
.legend{color:var(--muted);font-size:.85rem}
.legend i{display:inline-block;width:11px;height:11px;margin:0 5px 0 14px;vertical-align:-1px}
details{margin-top:12px}
summary{cursor:pointer;color:var(--accent)}
.document{border-left:3px solid var(--rule);padding-left:18px;margin-top:10px}
.document h1{font-size:1.15rem}.document h2{font-size:1rem;margin-top:1rem}
blockquote{margin:.5rem 0;padding-left:12px;border-left:3px solid #cbd5e1;color:#374151}
footer{color:var(--muted);font-size:.85rem}
footer dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:0}
dd{margin:0;overflow-wrap:anywhere}
@media(max-width:520px){.pair{grid-template-columns:1fr}.headline{font-size:1.35rem}}
@media print{body{background:#fff}section{break-inside:avoid}}
)";

std::string table_html(const TableView& table) {
    if (table.rows.empty()) return "";
    const auto cell = [&](std::string_view element, std::size_t column, const std::string& text) {
        return fmt::format("<{0}{1}>{2}</{0}>", element, column < table.text_columns ? " class=\"t\"" : "", escape_html(text));
    };
    std::string out = "<div class=\"scroll\"><table><thead><tr>";
    for (std::size_t i = 0; i < table.head.size(); ++i) out += cell("th", i, table.head[i]);
    out += "</tr></thead><tbody>\n";
    for (const auto& row : table.rows) {
        out += "<tr>";
        for (std::size_t i = 0; i < row.size(); ++i) out += cell("td", i, row[i]);
        out += "</tr>\n";
    }
    return out + "</tbody></table></div>\n";
}

std::string facts_html(const std::vector<Fact>& facts) {
    std::string out = "<ul class=\"facts\">";
    for (const Fact& fact : facts)
        out += fmt::format("<li><b>{}</b><span>{}</span></li>", escape_html(fact.value), escape_html(fact.label));
    return out + "</ul>\n";
}

std::string plot_svg(const Plot& plot) {
    constexpr double kWidth = 540, kHeight = 340;
    auto canvas = make_svg_canvas(kWidth, kHeight, plot.title);
    plot.draw(*canvas, {0, 0}, kWidth, kHeight);
    return canvas->finish().value_or("");
}

std::string sizing_html(const SizingView& sizing) {
    std::string out = "<section id=\"sizing\"><h2>How many users?</h2>\n";
    for (const std::string& statement : sizing.statements) out += fmt::format("<p>{}</p>\n", escape_html(statement));
    out += "<div class=\"pair\">";
    constexpr Color kColors[] = {kBlue, kGreen};
    for (std::size_t i = 0; i < sizing.metrics.size(); ++i) out += plot_svg(make_analysis_plot(sizing.metrics[i], kColors[i % 2]));
    out += "</div>\n";
    return out + table_html(sizing.legs) + "</section>\n";
}

std::string load_html(const LoadRunView& load) {
    std::string out = "<section id=\"load\"><h2>Under load</h2>\n";
    for (const std::string& statement : load.statements) out += fmt::format("<p>{}</p>\n", escape_html(statement));
    out += "<div class=\"pair\">";
    for (const Plot& plot : load.plots) out += plot_svg(plot);
    return out + "</div>\n" + table_html(load.times) + table_html(load.checks) + table_html(load.errors) + "</section>\n";
}

std::string latency_svg(const std::vector<StepLatencyView>& steps) {
    constexpr double kRow = 26, kLeft = 250, kWidth = 1080;
    const double height = kRow * static_cast<double>(steps.size()) + 10;
    double longest = 0;
    for (const auto& step : steps) longest = std::max(longest, step.p95);
    if (longest <= 0) return "";
    auto canvas = make_svg_canvas(kWidth, height, "Latency by step, median and 95th percentile");
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const StepLatencyView& step = steps[i];
        const double y = 5 + kRow * static_cast<double>(i);
        const auto width_of = [&](double seconds) { return std::max(1.0, seconds / longest * (kWidth - kLeft - 190)); };
        Color light = color_of(step.category);
        light.alpha = 0.35;
        canvas->text({kLeft - 10, y + 16}, shorten(step.name, 36), {.anchor = Anchor::end});
        canvas->rectangle({kLeft, y + 4}, width_of(step.p95), kRow - 9, light, fmt::format("p95 {}", format_duration(step.p95)));
        canvas->rectangle({kLeft, y + 4}, width_of(step.p50), kRow - 9, color_of(step.category),
                          fmt::format("median {}", format_duration(step.p50)));
        canvas->text({kLeft + width_of(step.p95) + 8, y + 16},
                     fmt::format("{} · p95 {}", format_duration(step.p50), format_duration(step.p95)), {.size = 11, .color = kMuted});
    }
    return canvas->finish().value_or("");
}

std::string session_html(const SessionView& session) {
    std::string out = fmt::format("<section id=\"session\"><h2>One session</h2>\n<p>{}</p>\n", escape_html(session.title));
    out +=
        "<p class=\"legend\"><i style=\"background:#2b6cb0\"></i>LLM (pale: before the first token)<i style=\"background:#2f855a\"></i>tool"
        "<i style=\"background:#dd8b20\"></i>function<i style=\"background:#6b7280\"></i>workflow<i "
        "style=\"background:#c53030\"></i>failed</p>\n";
    out += draw_waterfall_svg(session.bars).value_or("");
    if (!session.answer.empty())
        out += fmt::format("<details><summary>The report it wrote</summary><div class=\"document\">{}</div></details>\n",
                           markdown_to_html(session.answer));
    return out + "</section>\n";
}

}  // namespace

std::string render_html(const ReportView& view) {
    std::string out = fmt::format(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        "<title>{0}</title><style>{1}</style></head><body><main>\n<header><h1>{0}</h1><p class=\"headline\">{2}</p></header>\n",
        escape_html(view.title), kStyle, escape_html(view.headline));
    out += facts_html(view.facts);
    if (view.sizing) out += sizing_html(*view.sizing);
    if (view.load) out += load_html(*view.load);
    if (!view.findings.empty()) {
        out += "<section id=\"findings\"><h2>Where the time goes</h2>\n";
        for (const std::string& finding : view.findings) out += fmt::format("<p>{}</p>\n", escape_html(finding));
        out += "</section>\n";
    }
    if (view.session) out += session_html(*view.session);
    if (!view.step_latencies.empty()) {
        out += "<section id=\"steps\"><h2>Latency by step</h2>\n<p class=\"legend\">Dark: median. Pale: 95th percentile.</p>\n";
        out += latency_svg(view.step_latencies) + table_html(view.step_table) + "</section>\n";
    }
    out += "<footer><dl>";
    for (const Fact& fact : view.about) out += fmt::format("<dt>{}</dt><dd>{}</dd>", escape_html(fact.label), escape_html(fact.value));
    return out + "</dl></footer>\n</main></body></html>\n";
}

}  // namespace plimsoll::report
