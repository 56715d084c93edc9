#include "functions/time_zone.h"

#include <charconv>
#include <chrono>
#include <filesystem>

#include "base/files.h"

namespace plimsoll::functions {
namespace {

namespace chrono = std::chrono;

constexpr const char* kZoneFolder = "/usr/share/zoneinfo";
constexpr std::uint64_t kMaxZoneBytes = 1 << 20;  // the largest of tzdata has 4 kB
constexpr int kSecondsPerHour = 3600;

// A big-endian number of `size` bytes at `at`; the caller has checked that they are there.
std::int64_t read_number(std::string_view bytes, std::size_t at, std::size_t size) {
    std::uint64_t value = static_cast<signed char>(bytes[at]) < 0 ? ~std::uint64_t{0} : 0;
    for (std::size_t i = 0; i < size; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return static_cast<std::int64_t>(value);
}

// One of a file's two blocks: the first has times of 4 bytes, the second (since version 2) of 8.
struct Block {
    static constexpr std::size_t kHeaderBytes = 44;
    static constexpr std::size_t kTypeBytes = 6;
    std::string_view data;  // behind the header
    std::size_t times = 0, types = 0;
    std::size_t time_bytes = 4;

    static std::optional<Block> parse(std::string_view file, std::size_t time_bytes, std::size_t& bytes) {
        if (file.size() < kHeaderBytes || !file.starts_with("TZif")) return std::nullopt;
        const auto count = [&](std::size_t index) { return static_cast<std::size_t>(read_number(file, 20 + 4 * index, 4) & 0xffffffff); };
        const std::size_t utc = count(0), standard = count(1), leaps = count(2), times = count(3), types = count(4), letters = count(5);
        const std::size_t size = times * (time_bytes + 1) + types * kTypeBytes + letters + leaps * (time_bytes + 4) + standard + utc;
        if (types == 0 || file.size() - kHeaderBytes < size) return std::nullopt;
        bytes = kHeaderBytes + size;
        return Block{file.substr(kHeaderBytes, size), times, types, time_bytes};
    }

    std::int64_t time(std::size_t index) const { return read_number(data, index * time_bytes, time_bytes); }

    std::optional<int> offset_of_type(std::size_t type) const {
        if (type >= types) return std::nullopt;
        return static_cast<int>(read_number(data, times * (time_bytes + 1) + type * kTypeBytes, 4));
    }

    // How many transitions are not after this time.
    std::size_t passed(std::int64_t when) const {
        std::size_t low = 0, high = times;
        while (low < high) {
            const std::size_t middle = (low + high) / 2;
            if (time(middle) <= when)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }

    std::optional<int> offset_at(std::int64_t when) const {
        const std::size_t index = passed(when);
        return offset_of_type(index == 0 ? 0 : static_cast<unsigned char>(data[times * time_bytes + index - 1]));
    }
};

// Reads a POSIX rule from the left. Every reader says whether it found what it looks for.
struct RuleReader {
    std::string_view text;

    bool take(char c) {
        if (!text.starts_with(c)) return false;
        text.remove_prefix(1);
        return true;
    }
    bool number(int& value) {
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc()) return false;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        return true;
    }
    // "CET" or "<-03>".
    bool name() {
        const bool quoted = take('<');
        std::size_t length = 0;
        while (length < text.size() && (quoted ? text[length] != '>' : std::isalpha(static_cast<unsigned char>(text[length])) != 0))
            ++length;
        text.remove_prefix(length);
        return length > 0 && (!quoted || take('>'));
    }
    // "-1", "5:30", "2:00:00" in seconds.
    bool time(int& seconds) {
        const bool negative = take('-');
        if (!negative) take('+');
        int part = 0;
        seconds = 0;
        for (int unit = kSecondsPerHour; unit > 0; unit /= 60) {
            if (unit < kSecondsPerHour && !take(':')) break;
            if (!number(part) || part < 0 || part > 167) return false;
            seconds += part * unit;
        }
        if (negative) seconds = -seconds;
        return true;
    }
};

// A day and time of a year at which the clock changes: "M3.5.0/2", "J60", "59".
struct Change {
    char kind = 'n';  // M, J (1…365, never 29 February) or n (0…365)
    int month = 0, week = 0, day = 0;
    int seconds = 2 * kSecondsPerHour;

    static std::optional<Change> parse(RuleReader& reader) {
        Change change;
        bool good = true;
        if (reader.take('M')) {
            change.kind = 'M';
            good = reader.number(change.month) && reader.take('.') && reader.number(change.week) && reader.take('.') &&
                   reader.number(change.day) && change.month >= 1 && change.month <= 12 && change.week >= 1 && change.week <= 5 &&
                   change.day >= 0 && change.day <= 6;
        } else {
            if (reader.take('J')) change.kind = 'J';
            good = reader.number(change.day) && change.day >= (change.kind == 'J' ? 1 : 0) && change.day <= 365;
        }
        if (good && reader.take('/')) good = reader.time(change.seconds);
        return good ? std::optional(change) : std::nullopt;
    }

    // Seconds since the epoch as the wall clock counts them before the change.
    std::int64_t wall_time(chrono::year year) const {
        chrono::sys_days date;
        if (kind == 'M') {
            const chrono::weekday weekday(static_cast<unsigned>(day));
            const chrono::year_month in = year / chrono::month(static_cast<unsigned>(month));
            date = week == 5 ? chrono::sys_days(in / weekday[chrono::last]) : chrono::sys_days(in / weekday[static_cast<unsigned>(week)]);
        } else {
            const bool skips = kind == 'J' && year.is_leap() && day >= 60;
            date = chrono::sys_days(year / 1 / 1) + chrono::days(kind == 'J' ? day - 1 + (skips ? 1 : 0) : day);
        }
        return chrono::duration_cast<chrono::seconds>(date.time_since_epoch()).count() + seconds;
    }
};

}  // namespace

std::optional<int> utc_offset_by_rule(std::string_view rule, std::int64_t epoch_seconds) {
    RuleReader reader{rule};
    int west = 0;
    if (!reader.name() || !reader.time(west)) return std::nullopt;
    const int standard = -west;
    if (reader.text.empty()) return standard;
    if (!reader.name()) return std::nullopt;
    int summer = standard + kSecondsPerHour;
    if (!reader.text.starts_with(',')) {
        if (!reader.time(west)) return std::nullopt;
        summer = -west;
    }
    if (!reader.take(',')) return std::nullopt;
    const auto begin = Change::parse(reader);
    if (!begin || !reader.take(',')) return std::nullopt;
    const auto end = Change::parse(reader);
    if (!end || !reader.text.empty()) return std::nullopt;

    const chrono::sys_seconds wall{chrono::seconds(epoch_seconds + standard)};
    const chrono::year year = chrono::year_month_day(chrono::floor<chrono::days>(wall)).year();
    const std::int64_t summer_begins = begin->wall_time(year) - standard;
    const std::int64_t summer_ends = end->wall_time(year) - summer;
    const bool is_summer = summer_begins < summer_ends ? epoch_seconds >= summer_begins && epoch_seconds < summer_ends
                                                       : epoch_seconds >= summer_begins || epoch_seconds < summer_ends;
    return is_summer ? summer : standard;
}

std::optional<int> utc_offset_in(std::string_view file, std::int64_t epoch_seconds) {
    std::size_t bytes = 0;
    const auto first = Block::parse(file, 4, bytes);
    if (!first) return std::nullopt;
    constexpr std::size_t kVersionAt = 4;
    if (file[kVersionAt] == '\0') return first->offset_at(epoch_seconds);
    file.remove_prefix(bytes);
    const auto block = Block::parse(file, 8, bytes);
    if (!block) return std::nullopt;
    std::string_view rule = file.substr(bytes);
    if (rule.starts_with('\n')) rule.remove_prefix(1);
    rule = rule.substr(0, rule.find('\n'));
    if (rule.empty() || block->passed(epoch_seconds) < block->times) return block->offset_at(epoch_seconds);
    return utc_offset_by_rule(rule, epoch_seconds);
}

Result<int> utc_offset(const std::string& zone, std::int64_t epoch_seconds) {
    if (zone.empty() || zone.contains("..") || zone.starts_with('/')) return fail(ErrorCode::not_found, "no time zone: " + zone);
    const auto file = load_file(std::filesystem::path(kZoneFolder) / zone, kMaxZoneBytes);
    if (!file) return fail(file.error());
    const auto offset = utc_offset_in(*file, epoch_seconds);
    if (!offset) return fail(ErrorCode::parse, "damaged zone file of " + zone);
    return *offset;
}

}  // namespace plimsoll::functions
