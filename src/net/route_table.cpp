#include "net/route_table.h"

#include <algorithm>
#include <charconv>

namespace plimsoll::net {

namespace {

// "/a//b" -> {"a", "", "b"}; "/" -> {""}.
std::vector<std::string_view> split_path(std::string_view path) {
    std::vector<std::string_view> out;
    if (path.starts_with('/')) path.remove_prefix(1);
    for (;;) {
        const std::size_t slash = path.find('/');
        out.push_back(path.substr(0, slash));
        if (slash == std::string_view::npos) return out;
        path.remove_prefix(slash + 1);
    }
}

bool is_parameter(std::string_view segment) { return segment.starts_with('{') && segment.ends_with('}'); }

bool fits(const std::vector<std::string>& pattern, const std::vector<std::string>& segments) {
    return std::ranges::equal(
        pattern, segments, [](std::string_view want, std::string_view have) { return is_parameter(want) ? !have.empty() : want == have; });
}

// Both fit the same path, so they differ only in which segments are parameters.
bool is_more_exact(const std::vector<std::string>& a, const std::vector<std::string>& b) {
    return std::ranges::lexicographical_compare(a, b, {}, is_parameter, is_parameter);
}

}  // namespace

std::string percent_decode(std::string_view text, bool plus_is_space) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned char byte = 0;
        if (text[i] == '%' && i + 2 < text.size()) {
            const char* const digits = text.data() + i + 1;
            const auto [end, error] = std::from_chars(digits, digits + 2, byte, 16);
            if (error == std::errc() && end == digits + 2) {
                out += static_cast<char>(byte);
                i += 2;
                continue;
            }
        }
        out += text[i] == '+' && plus_is_space ? ' ' : text[i];
    }
    return out;
}

Target parse_target(std::string_view target) {
    if (!target.starts_with('/'))
        if (const std::size_t scheme = target.find("://"); scheme != std::string_view::npos) {
            const std::size_t path = target.find_first_of("/?", scheme + 3);
            target = path == std::string_view::npos ? "/" : target.substr(path);
        }
    Target out;
    const std::size_t mark = target.find('?');
    out.path = target.substr(0, mark);
    if (out.path.empty()) out.path = "/";
    if (mark == std::string_view::npos) return out;
    std::string_view rest = target.substr(mark + 1);
    while (!rest.empty()) {
        const std::string_view pair = rest.substr(0, rest.find('&'));
        rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
        if (pair.empty()) continue;
        const std::size_t equals = pair.find('=');
        const std::string_view value = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
        out.query[percent_decode(pair.substr(0, equals), true)] = percent_decode(value, true);
    }
    return out;
}

void RouteTable::add(std::string method, std::string_view pattern, Handler handler) {
    PLIMSOLL_CHECK(pattern.starts_with('/'), pattern);
    std::vector<std::string> segments;
    for (const auto segment : split_path(pattern)) segments.emplace_back(segment);
    routes_.push_back({std::move(method), std::move(segments), std::move(handler)});
}

RouteTable::Match RouteTable::match(std::string_view method, std::string_view path) const {
    std::vector<std::string> segments;
    for (const auto segment : split_path(path)) segments.push_back(percent_decode(segment));
    Match out;
    const Route* best = nullptr;
    for (const Route& route : routes_) {
        if (!fits(route.segments, segments)) continue;
        out.allowed.insert(route.method);
        const bool exact_method = route.method == method;
        if (!exact_method && !(method == "HEAD" && route.method == "GET")) continue;
        const bool better = best == nullptr || is_more_exact(route.segments, best->segments) ||
                            (exact_method && best->method != method && !is_more_exact(best->segments, route.segments));
        if (better) best = &route;
    }
    if (best == nullptr) return out;
    out.handler = &best->handler;
    for (std::size_t i = 0; i < segments.size(); ++i) {
        const std::string& want = best->segments[i];
        if (is_parameter(want)) out.params[want.substr(1, want.size() - 2)] = segments[i];
    }
    return out;
}

}  // namespace plimsoll::net
