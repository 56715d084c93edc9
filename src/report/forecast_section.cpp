#include "report/sections.h"

namespace plimsoll::report {

std::string forecast_section(const ForecastView& forecast) {
    std::string body;
    for (const std::string& statement : forecast.statements) body += paragraph_html(statement);
    std::vector<Plot> plots = {make_forecast_plot(forecast.curves), make_throughput_plot(forecast.curves)};
    if (Plot replicas = make_replicas_plot(forecast.curves); !replicas.series.empty()) plots.push_back(std::move(replicas));
    return section_html("forecast", "Forecast", body + plot_pair_html(plots) + table_html(forecast.table));
}

}  // namespace plimsoll::report
