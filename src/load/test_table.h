// Rows of a CSV table by the names of their columns, for tests. No field may hold a comma.
#pragma once

#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace plimsoll::load {

inline std::vector<std::string> split_fields(const std::string& line) {
    std::vector<std::string> out(1);
    for (const char c : line) {
        if (c == ',')
            out.emplace_back();
        else
            out.back() += c;
    }
    return out;
}

inline std::map<std::string, std::string> last_row(const std::string& csv) {
    std::istringstream lines(csv);
    std::string head, line, last;
    std::getline(lines, head);
    while (std::getline(lines, line)) last = line;
    const auto names = split_fields(head), values = split_fields(last);
    std::map<std::string, std::string> out;
    for (std::size_t i = 0; i < names.size() && i < values.size(); ++i) out[names[i]] = values[i];
    return out;
}

}  // namespace plimsoll::load
