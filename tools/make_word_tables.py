#!/usr/bin/env python3
"""Prints src/profile/word_tables.h from the Unicode tables of the Python that runs it: what re's \\w matches above ASCII, and lower()."""
import unicodedata

LAST = 0x110000


def word_ranges():
    ranges = []
    for c in range(0x80, LAST):
        if not chr(c).isalnum():
            continue
        if ranges and ranges[-1][1] == c - 1:
            ranges[-1][1] = c
        else:
            ranges.append([c, c])
    return ranges


def lower_ranges():
    ranges = []  # first, last, stride, offset
    for c in range(0x80, LAST):
        lower = chr(c).lower()
        if lower == chr(c) or len(lower) != 1:
            continue
        offset = ord(lower) - c
        if ranges and ranges[-1][3] == offset:
            first, last, stride, _ = ranges[-1]
            if (first == last and c - last <= 2) or c - last == stride:
                ranges[-1][1:3] = [c, c - last]
                continue
        ranges.append([c, c, 1, offset])
    return ranges


def print_table(rows, per_line):
    for i in range(0, len(rows), per_line):
        print("    " + " ".join(row + "," for row in rows[i:i + per_line]))
    print("};")


words, lowers = word_ranges(), lower_ranges()
print(f"""// Which code points above ASCII belong to words, and their lower case, of Unicode {unicodedata.unidata_version}.
// Printed by tools/make_word_tables.py; do not edit.
#pragma once

namespace plimsoll::profile {{

// clang-format off
struct WordRange {{
    char32_t first, last;
}};
inline constexpr WordRange kWordRanges[] = {{""")
print_table([f"{{{a:#x}, {b:#x}}}" for a, b in words], 6)
print("""
// Every stride-th of [first, last] becomes itself + offset.
struct LowerRange {
    char32_t first, last;
    int stride, offset;
};
inline constexpr LowerRange kLowerRanges[] = {""")
print_table([f"{{{a:#x}, {b:#x}, {s}, {o}}}" for a, b, s, o in lowers], 4)
print("""// clang-format on

}  // namespace plimsoll::profile""")
