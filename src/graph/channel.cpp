#include "graph/channel.h"

namespace plimsoll::graph {

void append_to(json::value& all, json::value more) {
    if (all.is_null()) {
        all = std::move(more);
    } else if (all.is_string() && more.is_string()) {
        all.get_string().append(more.get_string());
    } else if (json::array* items = more.if_array(); items && all.is_array()) {
        for (json::value& item : *items) all.get_array().push_back(std::move(item));
    } else {
        // A node's answer is data here, so a wrong kind is the node's mistake, which fails its run like any exception.
        throw std::invalid_argument("appends neither a list to a list nor a text to a text");
    }
}

}  // namespace plimsoll::graph
