// Which handler answers a request: patterns such as "/v1/jobs/{id}" and the text of a request target.
// Filled before the server runs, read only afterwards.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "net/http_server.h"

namespace plimsoll::net {

// "%41+" -> "A+" (or "A " when `plus_is_space`, as in queries). An escape that is not two hex digits stays as it is.
std::string percent_decode(std::string_view text, bool plus_is_space = false);

struct Target {
    std::string path;                          // as sent, not decoded
    std::map<std::string, std::string> query;  // decoded; of a repeated name the last value
};
// Of "/a/b?x=1&y", or of the absolute form "http://host/a/b?x=1&y".
Target parse_target(std::string_view target);

class RouteTable {
  public:
    // The pattern starts with '/'; a segment "{name}" takes any one non-empty segment.
    void add(std::string method, std::string_view pattern, Handler handler);

    struct Match {
        const Handler* handler = nullptr;           // null: no route for path and method
        std::map<std::string, std::string> params;  // decoded
        std::set<std::string> allowed;              // the path's methods; empty when no pattern fits the path
    };
    // HEAD is answered by GET's handler unless it has one of its own. Among the patterns that fit, the one whose first
    // differing segment is exact wins; among equal ones the first.
    Match match(std::string_view method, std::string_view path) const;

  private:
    struct Route {
        std::string method;
        std::vector<std::string> segments;
        Handler handler;
    };
    std::vector<Route> routes_;
};

}  // namespace plimsoll::net
