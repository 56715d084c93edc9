// Comma-separated values after RFC 4180: quoted fields with "" for a quote, commas and line ends inside quotes, CRLF or LF
// (or a lone CR) between records, an optional UTF-8 byte-order mark. Blank lines between records are skipped.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace plimsoll::eval {

struct CsvRecord {
    std::size_t line = 1;  // where it starts, counted from 1
    std::vector<std::string> fields;
};

// Every record, the header included; fields are text. Errors: parse, with the line: an opening quote that is never closed
// (the line of the quote), text after a closing quote, a quote inside an unquoted field.
Result<std::vector<CsvRecord>> parse_csv(std::string_view text);

}  // namespace plimsoll::eval
