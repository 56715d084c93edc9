// A table of numbers by the names of its columns, as pictures want it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "report/plot.h"

namespace plimsoll::report {

struct CsvColumn {
    std::string name;
    std::vector<std::optional<double>> values;  // nothing where the field is empty, missing or no number
};

struct CsvColumns {
    std::vector<CsvColumn> columns;
    const CsvColumn* find(std::string_view name) const;
};

// Errors: parse.
Result<CsvColumns> parse_csv_columns(std::string_view text);

// Rows where both have a value. Of more than `most` points each group of neighbours gives its highest.
std::vector<Point> points_of(const CsvColumn& x, const CsvColumn& y, std::size_t most);

}  // namespace plimsoll::report
