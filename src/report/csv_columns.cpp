#include "report/csv_columns.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "eval/csv.h"

namespace plimsoll::report {
namespace {

std::optional<double> parse_number(const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
    return value;
}

std::vector<Point> thin(const std::vector<Point>& points, std::size_t most) {
    const std::size_t step = (points.size() + most - 1) / most;
    if (step <= 1) return points;
    std::vector<Point> out;
    for (std::size_t i = 0; i < points.size(); i += step)
        out.push_back(*std::max_element(points.begin() + static_cast<std::ptrdiff_t>(i),
                                        points.begin() + static_cast<std::ptrdiff_t>(std::min(points.size(), i + step)),
                                        [](const Point& a, const Point& b) { return a.y < b.y; }));
    return out;
}

}  // namespace

const CsvColumn* CsvColumns::find(std::string_view name) const {
    const auto found = std::ranges::find(columns, name, &CsvColumn::name);
    return found == columns.end() ? nullptr : &*found;
}

Result<CsvColumns> parse_csv_columns(std::string_view text) {
    const auto rows = eval::parse_csv(text);
    if (!rows) return fail(rows.error());
    if (rows->empty()) return fail(ErrorCode::parse, "an empty table");
    CsvColumns table;
    for (const std::string& name : rows->front().fields) table.columns.push_back({name, {}});
    for (std::size_t row = 1; row < rows->size(); ++row) {
        const auto& fields = (*rows)[row].fields;
        for (std::size_t i = 0; i < table.columns.size(); ++i)
            table.columns[i].values.push_back(i < fields.size() ? parse_number(fields[i]) : std::nullopt);
    }
    return table;
}

std::vector<Point> points_of(const CsvColumn& x, const CsvColumn& y, std::size_t most) {
    std::vector<Point> points;
    for (std::size_t row = 0; row < std::min(x.values.size(), y.values.size()); ++row)
        if (x.values[row] && y.values[row]) points.push_back({*x.values[row], *y.values[row]});
    return thin(points, most);
}

}  // namespace plimsoll::report
