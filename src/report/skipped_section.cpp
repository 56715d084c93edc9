#include <fmt/format.h>
#include <fmt/ranges.h>

#include "report/sections.h"

namespace plimsoll::report {

std::string skipped_html(const event::SkipReport& skipped, std::size_t orphan_steps) {
    TableView table{.head = {"What", "Where", "How often"}, .text_columns = 2};
    for (const auto& [reason, entry] : skipped.reasons())
        table.rows.push_back({reason, fmt::format("{}{}", fmt::join(entry.places, "; "), entry.count > entry.places.size() ? "; …" : ""),
                              fmt::format("{}", entry.count)});
    if (orphan_steps > 0) table.rows.push_back({"step without its START", "", fmt::format("{}", orphan_steps)});
    return table_html(table);
}

}  // namespace plimsoll::report
