#include "report/sections.h"

namespace plimsoll::report {

std::string load_run_section(const LoadRunView& load) {
    std::string body;
    for (const std::string& statement : load.statements) body += paragraph_html(statement);
    body += pictures_html(load.pictures);
    return section_html("load-run", "Under load", body + table_html(load.times) + table_html(load.checks) + table_html(load.errors));
}

}  // namespace plimsoll::report
