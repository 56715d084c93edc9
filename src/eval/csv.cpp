#include "eval/csv.h"

#include <fmt/format.h>

namespace plimsoll::eval {
namespace {

class CsvReader {
  public:
    explicit CsvReader(std::string_view text) : text_(text) {
        if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);
    }

    Result<std::vector<CsvRecord>> read() {
        std::vector<CsvRecord> records;
        while (at_ < text_.size()) {
            if (take_line_end()) continue;
            CsvRecord record{line_, {}};
            bool more = true;
            while (more) {
                auto field = at_ < text_.size() && text_[at_] == '"' ? read_quoted() : read_plain();
                if (!field) return fail(field.error());
                record.fields.push_back(std::move(*field));
                more = at_ < text_.size() && text_[at_] == ',';
                if (more) ++at_;
            }
            take_line_end();
            records.push_back(std::move(record));
        }
        return records;
    }

  private:
    bool take_line_end() {
        if (at_ >= text_.size() || (text_[at_] != '\r' && text_[at_] != '\n')) return false;
        at_ += text_.substr(at_, 2) == "\r\n" ? 2 : 1;
        ++line_;
        return true;
    }

    Result<std::string> read_plain() {
        const std::size_t end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
        const std::string_view field = text_.substr(at_, end - at_);
        if (field.contains('"')) return fail(ErrorCode::parse, fmt::format("line {}: quote inside an unquoted field", line_));
        at_ = end;
        return std::string(field);
    }

    Result<std::string> read_quoted() {
        const std::size_t opened = line_;
        std::string field;
        for (++at_; at_ < text_.size();) {
            const char c = text_[at_];
            if (c == '"' && at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
                field += '"';
                at_ += 2;
            } else if (c == '"') {
                ++at_;
                if (at_ < text_.size() && !std::string_view(",\r\n").contains(text_[at_]))
                    return fail(ErrorCode::parse, fmt::format("line {}: text after a closing quote", line_));
                return field;
            } else if (c == '\r' || c == '\n') {
                const std::size_t start = at_;
                take_line_end();
                field += text_.substr(start, at_ - start);
            } else {
                field += c;
                ++at_;
            }
        }
        return fail(ErrorCode::parse, fmt::format("line {}: quote never closed", opened));
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t line_ = 1;
};

}  // namespace

Result<std::vector<CsvRecord>> parse_csv(std::string_view text) { return CsvReader(text).read(); }

}  // namespace plimsoll::eval
