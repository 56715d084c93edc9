// Pictures as files beside the numbers that they show.
#pragma once

#include <filesystem>
#include <vector>

#include "report/picture.h"

namespace plimsoll::cli {

// NAME.png and NAME.svg of each into `folder`. One that cannot be drawn or written is a warning.
void save_pictures(const std::filesystem::path& folder, const std::vector<report::Picture>& pictures);

// What samples.csv says, as a picture; nothing when there is no such file or nothing in it, and a warning when it cannot
// be read.
std::vector<report::Picture> load_machine_picture(const std::filesystem::path& run_folder);

}  // namespace plimsoll::cli
