// Which types can travel as JSON, and the conversion both ways. A type takes part when Boost.JSON can convert it: numbers,
// strings, containers, tuples, optionals of such, and structs that have BOOST_DESCRIBE_STRUCT or tag_invoke overloads.
#pragma once

#include <fmt/format.h>

#include <exception>
#include <optional>
#include <ranges>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "base/json.h"

namespace plimsoll::graph {

template <class T>
consteval bool has_json();

namespace detail {

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <class T, std::size_t... kIndex>
consteval bool elements_have_json(std::index_sequence<kIndex...>) {
    return (has_json<std::remove_cv_t<std::tuple_element_t<kIndex, T>>>() && ...);
}

}  // namespace detail

// Boost's own traits say yes to a vector of anything; this one looks inside.
template <class T>
consteval bool has_json() {
    if constexpr (std::is_same_v<T, json::value> || std::is_same_v<T, json::object> || std::is_same_v<T, json::array> ||
                  std::is_convertible_v<T, std::string_view>)
        return json::has_value_from<T>::value && json::has_value_to<T>::value;
    else if constexpr (detail::IsOptional<T>::value)
        return has_json<typename T::value_type>();
    else if constexpr (std::ranges::range<T>)
        return has_json<std::remove_cv_t<std::ranges::range_value_t<T>>>() && json::has_value_from<T>::value &&
               json::has_value_to<T>::value;
    else if constexpr (requires { std::tuple_size<T>::value; })
        return detail::elements_have_json<T>(std::make_index_sequence<std::tuple_size_v<T>>());
    else
        return json::has_value_from<T>::value && json::has_value_to<T>::value;
}

// Errors: parse, when the value has another shape than T.
template <class T>
Result<T> from_json(const json::value& value, std::string_view what) {
    try {
        return json::value_to<T>(value);
    } catch (const std::exception& error) {
        return fail(ErrorCode::parse, fmt::format("{}: {}", what, error.what()));
    }
}

}  // namespace plimsoll::graph
