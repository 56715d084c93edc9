#include "config/tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>

#include "base/files.h"
#include "config/expand.h"
#include "config/sections.h"
#include "config/yaml.h"

namespace plimsoll::config {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFilePrefix = "file://";

std::string describe(const Error& error) { return fmt::format("{}: {}", to_string(error.code), error.message); }

bool is_text_file_name(const fs::path& path) {
    constexpr std::array<std::string_view, 8> kExtensions = {".txt", ".md", ".j2", ".jinja2", ".jinja", ".prompt", ".tpl", ".template"};
    std::string extension = path.extension().string();
    std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return std::ranges::find(kExtensions, extension) != kExtensions.end();
}

// Keys that the toolkit once wrote with its old name in front ("aiq_llms").
void rename_old_sections(Node& root, Problems& problems) {
    for (auto& member : root.members) {
        if (!member.key.starts_with("aiq_") && !member.key.starts_with("aiq.")) continue;
        const std::string name = member.key.substr(4);
        if (!is_section(name)) continue;
        if (find_member(root, name)) {
            problems.error(member.mark, member.key, fmt::format("is the old name of {}, which is given too", name));
            continue;
        }
        problems.warning(member.mark, member.key, fmt::format("is an old name; write {}", name));
        member.key = name;
    }
}

// Reads the files and replaces ${…} and file:// in scalars; remembers which folder each source's relative names start from.
class Reader {
  public:
    Reader(const LoadOptions& options, Problems& problems) : problems_(problems), bytes_left_(kMaxExpandedBytes) {
        getenv_ = options.getenv ? options.getenv : Getenv([](const std::string& name) { return std::getenv(name.c_str()); });
    }

    // The main file first, then its base, then that one's. Empty when one of them is unusable.
    std::vector<Node> read_chain(const fs::path& file, std::string& original) {
        std::vector<Node> chain;
        std::vector<fs::path> seen;
        fs::path current = file;
        std::optional<Node> base;  // the `base:` that led to `current`
        for (;;) {
            std::error_code error;
            const fs::path canonical = fs::weakly_canonical(current, error);
            if (std::ranges::find(seen, canonical) != seen.end()) {
                problems_.error(base->mark, "base", "leads back to a file of its own chain");
                return {};
            }
            if (chain.size() == kMaxBases) {
                problems_.error(base->mark, "base", fmt::format("a chain of more than {} files", kMaxBases));
                return {};
            }
            seen.push_back(canonical);
            auto node = read_file(current, base, chain.empty() ? &original : nullptr);
            if (!node || !take_base(*node, base)) return {};
            chain.push_back(*std::move(node));
            if (!base) return chain;
            current = (current.parent_path() / base->text).lexically_normal();
        }
    }

    void resolve(Node& node, const std::string& path, bool in_mapping) {
        for (std::size_t i = 0; i < node.items.size(); ++i) resolve(node.items[i], fmt::format("{}[{}]", path, i), false);
        for (auto& member : node.members) resolve(member.value, join_path(path, member.key), true);
        if (node.kind != Node::Kind::scalar) return;
        if (!expand_scalar(node, path)) return;
        if (in_mapping && node.text.starts_with(kFilePrefix)) read_text_file(node, path);
    }

  private:
    std::optional<Node> read_file(const fs::path& path, const std::optional<Node>& named_by, std::string* original) {
        const int source = problems_.add_source(path.string());
        folders_.resize(static_cast<std::size_t>(source) + 1);
        folders_.back() = path.parent_path();
        auto text = load_file(path, kMaxFileBytes);
        if (!text) {
            problems_.error(named_by ? named_by->mark : Mark{source}, named_by ? "base" : "", describe(text.error()));
            return std::nullopt;
        }
        auto root = parse_yaml(*text, source, problems_);
        if (original) *original = *std::move(text);
        if (root && !root->is_map()) {
            problems_.error(root->mark.line > 0 ? root->mark : Mark{source}, "",
                            root->is_null() ? "is empty" : "the top must be a mapping");
            return std::nullopt;
        }
        if (root) rename_old_sections(*root, problems_);
        return root;
    }

    // Moves `base:` out of the tree; false when it names no file.
    bool take_base(Node& root, std::optional<Node>& base) {
        base.reset();
        const auto* member = find_member(root, "base");
        if (!member) return true;
        Node named = member->value;
        std::erase_if(root.members, [](const Member& m) { return m.key == "base"; });
        if (named.kind != Node::Kind::scalar) {
            problems_.error(named.mark, "base", "must be the name of a file");
            return false;
        }
        if (!expand_scalar(named, "base")) return false;
        if (!named.is_null()) base = std::move(named);
        return true;
    }

    bool expand_scalar(Node& node, const std::string& path) {
        if (!node.text.contains("${")) return true;
        auto expanded = expand(node.text, getenv_, bytes_left_);
        if (!expanded) {
            problems_.error(node.mark, path, expanded.error().message);
            return false;
        }
        bytes_left_ -= expanded->size();
        node.text = *std::move(expanded);
        // ${V:-""} in an unquoted scalar: NAT, which expands first, lets YAML take such quotes off.
        const bool quoted = node.text.size() >= 2 && node.text.front() == node.text.back() && (node.text[0] == '"' || node.text[0] == '\'');
        if (node.plain && quoted) {
            node.text = node.text.substr(1, node.text.size() - 2);
            node.plain = false;
        }
        return true;
    }

    void read_text_file(Node& node, const std::string& path) {
        const fs::path name = node.text.substr(kFilePrefix.size());
        if (!is_text_file_name(name)) {
            problems_.error(
                node.mark, path,
                fmt::format("{}: file:// takes .txt, .md, .j2, .jinja2, .jinja, .prompt, .tpl and .template files", name.string()));
            return;
        }
        // An override's file is named from the main file's folder.
        const auto source = static_cast<std::size_t>(node.mark.source);
        auto text =
            load_file((source < folders_.size() ? folders_[source] : folders_.front()) / name, std::min(kMaxTextFileBytes, bytes_left_));
        if (!text) {
            problems_.error(node.mark, path, describe(text.error()));
            return;
        }
        bytes_left_ -= text->size();
        node.text = *std::move(text);
        node.plain = false;
    }

    Problems& problems_;
    Getenv getenv_;
    std::size_t bytes_left_;
    std::vector<fs::path> folders_;  // by source
};

}  // namespace

std::optional<Tree> read_tree(const fs::path& file, const LoadOptions& options, Problems& problems) {
    Reader reader(options, problems);
    Tree tree;
    auto chain = reader.read_chain(file, tree.original);
    if (chain.empty()) return std::nullopt;
    tree.root = std::move(chain.back());
    chain.pop_back();
    for (auto over = chain.rbegin(); over != chain.rend(); ++over) merge(tree.root, std::move(*over));
    for (const auto& override : options.overrides) apply_override(tree.root, override, problems);
    reader.resolve(tree.root, "", true);
    return tree;
}

}  // namespace plimsoll::config
