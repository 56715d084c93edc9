#include "cli/pictures.h"

#include "base/files.h"
#include "base/log.h"
#include "load/run_files.h"
#include "report/machine_plots.h"

namespace plimsoll::cli {
namespace {

void save(const std::filesystem::path& file, const Result<std::string>& picture) {
    if (!picture) return log_warning("{}: {}", file.filename().string(), picture.error().message);
    if (const auto saved = save_file(file, *picture); !saved) log_warning("{}", saved.error().message);
}

}  // namespace

void save_pictures(const std::filesystem::path& folder, const std::vector<report::Picture>& pictures) {
    for (const report::Picture& picture : pictures) {
        save(folder / (picture.name + ".png"), report::draw_png(picture));
        save(folder / (picture.name + ".svg"), report::draw_svg(picture));
    }
}

std::vector<report::Picture> load_machine_picture(const std::filesystem::path& run_folder) {
    const auto file = run_folder / load::kSamplesCsv;
    if (!std::filesystem::exists(file)) return {};
    const auto text = load_file(file);
    auto plots = text ? report::make_machine_plots(*text) : fail(text.error());
    if (!plots) {
        log_warning("{}: {}", file.string(), plots.error().message);
        return {};
    }
    if (plots->empty()) return {};
    return {{load::kMachinePicture, std::move(*plots)}};
}

}  // namespace plimsoll::cli
