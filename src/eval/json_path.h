// JSONPath, as far as `--result_json_path` needs it: where in a workflow's result the answer is.
//
//   $            the result itself            .name ['name'] ["name"]   a member
//   [2] [-1]     an element, from the end too  .* [*]                    every member or element
//   ..name ..[2] ..*   the same at any depth
//
// The leading $ may be left out before a name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "eval/runner.h"

namespace plimsoll::eval {

class JsonPath {
  public:
    // Longer paths, and more matches of any step, than a person can mean.
    static constexpr std::size_t kMaxSteps = 32;
    static constexpr std::size_t kMaxMatches = 10'000;

    // Errors: invalid_argument, with the place.
    static Result<JsonPath> parse(std::string_view text);

    // In the document's order; at most kMaxMatches. The pointers are into `root`.
    std::vector<const json::value*> match(const json::value& root) const;
    bool is_whole() const { return steps_.empty(); }
    const std::string& text() const { return text_; }

  private:
    struct Step {
        enum class Kind : std::uint8_t { name, index, all };
        Kind kind = Kind::name;
        bool deep = false;  // at any depth
        std::string name;
        std::int64_t index = 0;
    };
    static void select(const Step& step, const json::value& value, std::vector<const json::value*>& out);

    std::vector<Step> steps_;
    std::string text_;
};

// What `runner` answers, cut down to the first match; a text that is JSON is looked into. Several matches are a warning, once; none fails
// the item with bad_response.
SessionRunner with_result_path(SessionRunner runner, JsonPath path);

}  // namespace plimsoll::eval
