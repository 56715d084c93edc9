#include <fmt/format.h>

#include "report/histogram_plot.h"
#include "report/sections.h"

namespace plimsoll::report {

std::string token_cost_html(const profile::TokenCost& cost) {
    TableView table{.head = {"Model", "Calls", "Prompt tokens", "of these cached", "Completion tokens", "Cost"}};
    for (const profile::ModelCost& model : cost.models)
        table.rows.push_back({model.model, fmt::format("{}", model.calls), fmt::format("{}", model.tokens.prompt_tokens),
                              fmt::format("{}", model.tokens.cached_tokens), fmt::format("{}", model.tokens.completion_tokens),
                              model.cost ? fmt::format("{:.4g}", *model.cost) : "no price"});
    std::string out = "<h3>Cost, in the price table's currency</h3>\n" + table_html(table);
    out +=
        paragraph_html(fmt::format("{:.4g} in all, {:.4g} of it for calls that failed. A session costs {:.4g} on average, {:.4g} at p95.",
                                   cost.total, cost.failed, cost.per_session.mean, cost.per_session.p95));
    if (cost.unpriced_calls > 0) out += paragraph_html(fmt::format("{} calls went to models without a price.", cost.unpriced_calls));
    return out;
}

std::string token_histograms_html(const profile::Insights& insights) {
    const std::string prompts = draw_histogram_svg(insights.prompt_tokens, "Prompt tokens", "Prompt tokens");
    const std::string completions = draw_histogram_svg(insights.completion_tokens, "Completion tokens", "Completion tokens");
    return prompts.empty() && completions.empty() ? "" : "<div class=\"pair\">" + prompts + completions + "</div>\n";
}

}  // namespace plimsoll::report
