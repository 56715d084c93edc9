#include "report/sections.h"

namespace plimsoll::report {

std::string forecast_section(const ForecastView& forecast) {
    std::string body;
    for (const std::string& statement : forecast.statements) body += paragraph_html(statement);
    return section_html("forecast", "Forecast", body + pictures_html(forecast.pictures) + table_html(forecast.table));
}

}  // namespace plimsoll::report
