#include "config/check.h"
#include "config/config.h"
#include "config/tree.h"

namespace plimsoll::config {

namespace fs = std::filesystem;

std::vector<const Component*> Config::components() const {
    std::vector<const Component*> all;
    for (const auto* section : {&llms, &embedders, &functions, &tracing, &logging, &evaluators})
        for (const auto& [name, component] : *section) all.push_back(&component);
    if (!workflow.type.empty()) all.push_back(&workflow);
    return all;
}

fs::path Config::resolve(const std::string& path) const {
    std::error_code error;  // what cannot be looked at does not exist for us
    if (fs::exists(path, error)) return path;
    return file.parent_path() / path;
}

Loaded load(const fs::path& file, const Catalogue& catalogue, const LoadOptions& options) {
    Problems problems;
    Loaded loaded;
    loaded.config.file = file;
    if (auto tree = read_tree(file, options, problems)) {
        check_config({tree->root, catalogue, options, problems}, loaded.config);
        loaded.config.root = std::move(to_json(tree->root).as_object());
        loaded.config.original = std::move(tree->original);
    }
    loaded.problems = problems.in_file_order();
    return loaded;
}

}  // namespace plimsoll::config
