#include "config/problems.h"

#include <fmt/format.h>

#include <algorithm>

namespace plimsoll::config {

std::string Problem::text() const {
    std::string out = place;
    if (!path.empty()) out += (out.empty() ? "" : ": ") + path;
    return out + (out.empty() ? "" : ": ") + message;
}

bool Loaded::ok() const {
    return std::ranges::none_of(problems, [](const Problem& p) { return p.severity == Problem::Severity::error; });
}

int Problems::add_source(std::string name) {
    sources_.push_back(std::move(name));
    return static_cast<int>(sources_.size()) - 1;
}

void Problems::error(const Mark& mark, std::string path, std::string message) {
    add(Problem::Severity::error, mark, std::move(path), std::move(message));
}

void Problems::warning(const Mark& mark, std::string path, std::string message) {
    add(Problem::Severity::warning, mark, std::move(path), std::move(message));
}

void Problems::add(Problem::Severity severity, const Mark& mark, std::string path, std::string message) {
    entries_.push_back({mark, {severity, place(mark), std::move(path), std::move(message)}});
}

std::string Problems::place(const Mark& mark) const {
    const std::string& source = sources_.at(static_cast<std::size_t>(mark.source));
    return mark.line == 0 ? source : fmt::format("{}:{}:{}", source, mark.line, mark.column);
}

bool Problems::has_error() const {
    return std::ranges::any_of(entries_, [](const Entry& e) { return e.problem.severity == Problem::Severity::error; });
}

std::vector<Problem> Problems::in_file_order() const {
    std::vector<const Entry*> order;
    order.reserve(entries_.size());
    for (const auto& entry : entries_) order.push_back(&entry);
    std::ranges::stable_sort(order, {}, &Entry::mark);
    std::vector<Problem> out;
    for (const auto* entry : order) {
        if (out.size() == kMaxShown) {
            // Counts as an error when any of all was one, so that cutting the list never makes a bad file look usable.
            const auto severity = has_error() ? Problem::Severity::error : Problem::Severity::warning;
            out.push_back({severity, sources_.front(), "", fmt::format("{} more problems", order.size() - kMaxShown)});
            break;
        }
        out.push_back(entry->problem);
    }
    return out;
}

std::string join_path(const std::string& parent, const std::string& key) { return parent.empty() ? key : parent + "." + key; }

}  // namespace plimsoll::config
