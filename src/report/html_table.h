// Tables of a report as HTML.
#pragma once

#include <string>
#include <vector>

namespace plimsoll::report {

struct TableView {
    std::vector<std::string> head;
    std::vector<std::vector<std::string>> rows;
    std::size_t text_columns = 1;  // so many from the left are text, the rest numbers set to the right
};

// Beyond so many rows the table says how many it leaves out; they are in the run's files.
inline constexpr std::size_t kMaxTableRows = 30;

// Cells are escaped. A column without an entry is left out. No rows: nothing.
std::string table_html(const TableView& table);

std::string paragraph_html(const std::string& text);  // escaped

// "12 %", "1.4 %", "0.05 %"; what rounds to nothing "0 %".
std::string format_percent(double share);

}  // namespace plimsoll::report
