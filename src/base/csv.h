// Fields of CSV files we write (RFC 4180).
#pragma once

#include <string>
#include <string_view>

namespace plimsoll {

// Quoted where it holds a comma, a quote or a line end.
void append_csv_field(std::string& out, std::string_view text);
std::string csv_field(std::string_view text);

}  // namespace plimsoll
