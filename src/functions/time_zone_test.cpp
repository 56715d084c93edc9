#include "functions/time_zone.h"

#include <gtest/gtest.h>
#include <time.h>

#include <cstdlib>
#include <filesystem>

#include "base/files.h"

namespace plimsoll::functions {
namespace {

constexpr std::int64_t kJanuary2026 = 1767225600;
constexpr std::int64_t kJuly2026 = 1782864000;
constexpr std::int64_t kJuly2100 = 4118083200;

TEST(TimeZone, RulesOfPosix) {
    struct Case {
        const char* rule;
        int january, july;
    };
    constexpr int kHour = 3600;
    for (const auto& [rule, january, july] :
         {Case{"UTC0", 0, 0}, Case{"<+0530>-5:30", 19800, 19800}, Case{"CET-1CEST,M3.5.0,M10.5.0/3", kHour, 2 * kHour},
          Case{"AEST-10AEDT,M10.1.0,M4.1.0/3", 11 * kHour, 10 * kHour}, Case{"IST-1GMT0,M10.5.0,M3.5.0/1", 0, kHour},
          Case{"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", -2 * kHour, -kHour}, Case{"EST5EDT,J60,J300", -5 * kHour, -4 * kHour},
          Case{"EST5EDT,59/2,299", -5 * kHour, -4 * kHour}, Case{"XXX3EDT4,0/0,J365/23", -4 * kHour, -4 * kHour}}) {
        EXPECT_EQ(utc_offset_by_rule(rule, kJanuary2026), january) << rule;
        EXPECT_EQ(utc_offset_by_rule(rule, kJuly2026), july) << rule;
    }
    for (const char* wrong :
         {"", "CET", "CET-1CEST", "CET-1CEST,", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0",
          "CET-1CEST,M3.5.0,M10.5.0/3x", "<CET-1", "CET-1CEST,M3.5.0,J0", "CET-200", "5", "CET-1CEST,M3.5.7,M10.5.0"})
        EXPECT_FALSE(utc_offset_by_rule(wrong, kJuly2026)) << wrong;
}

TEST(TimeZone, UnknownAndForbiddenNames) {
    for (const char* zone : {"", "No/Such_Zone", "../../../etc/passwd", "/etc/passwd", "Europe"})
        EXPECT_FALSE(utc_offset(zone, kJuly2026)) << zone;
    EXPECT_EQ(utc_offset("zone.tab", kJuly2026).error().code, ErrorCode::parse);
}

TEST(TimeZone, ADamagedFileIsNoZone) {
    const auto file = load_file("/usr/share/zoneinfo/Europe/Berlin");
    ASSERT_TRUE(file);
    EXPECT_EQ(utc_offset_in(*file, kJuly2026), 7200);
    for (std::size_t length = 0; length < file->size(); ++length) (void)utc_offset_in(std::string_view(*file).substr(0, length), kJuly2026);
    for (std::size_t at = 0; at < file->size(); ++at)
        for (const char byte : {'\0', '\x7f', '\xff'}) {
            std::string damaged = *file;
            damaged[at] = byte;
            (void)utc_offset_in(damaged, kJuly2100);
        }
    EXPECT_FALSE(utc_offset_in(std::string_view(*file).substr(0, 100), kJuly2026));
}

// Against the C library, which knows them through the environment; nothing else runs in this process meanwhile.
TEST(TimeZone, EveryZoneOfTheSystemAgreesWithTheCLibrary) {
    constexpr std::int64_t kStep = 3'000'017;  // about 35 days, at changing times of day
    int zones = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator("/usr/share/zoneinfo")) {
        const std::string zone = std::filesystem::relative(entry.path(), "/usr/share/zoneinfo");
        // "right" counts leap seconds, which no other clock of this machine does.
        if (!entry.is_regular_file() || zone.starts_with("right/") || zone.starts_with("posix/")) continue;
        const std::string file = load_file(entry.path()).value();
        if (!file.starts_with("TZif")) continue;
        ++zones;
        ::setenv("TZ", zone.c_str(), 1);
        ::tzset();
        for (std::int64_t when = 0; when < kJuly2100; when += kStep) {
            const auto time = static_cast<std::time_t>(when);
            std::tm fields{};
            ::localtime_r(&time, &fields);
            ASSERT_EQ(utc_offset_in(file, when).value(), fields.tm_gmtoff) << zone << " at " << when;
        }
    }
    ::unsetenv("TZ");
    ::tzset();
    EXPECT_GT(zones, 300);
}

}  // namespace
}  // namespace plimsoll::functions
