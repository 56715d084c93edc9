// An indented JSON text written piece by piece, the same as to_pretty_json() makes of a tree: for what is too long to be one.
//
//   JsonStream json([&](std::string_view text) { file.append(text); });
//   json.begin_object(); json.member("total", 2); json.key("list"); json.begin_array();
//   for (const auto& call : calls) json.value(to_json(call));
//   json.end(); json.end(); json.flush();
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace plimsoll {

class JsonStream {
  public:
    using Sink = std::function<void(std::string_view)>;

    // What is written stands `depth` levels inside the text that `sink` gets.
    explicit JsonStream(Sink sink, int depth = 0, Escape escape = Escape::utf8) : sink_(std::move(sink)), depth_(depth), escape_(escape) {}
    JsonStream(const JsonStream&) = delete;
    JsonStream& operator=(const JsonStream&) = delete;

    void begin_object() { begin('{'); }
    void begin_array() { begin('['); }
    void end();  // of the innermost
    void key(std::string_view name);
    void value(const json::value& value);
    void member(std::string_view name, const json::value& of) {
        key(name);
        value(of);
    }

    void flush();  // to the sink, which gets full blocks without

  private:
    struct Level {
        char bracket;
        bool empty = true;
    };
    void begin(char bracket);
    void place();
    void newline();
    int depth() const { return depth_ + static_cast<int>(levels_.size()); }

    Sink sink_;
    int depth_;
    Escape escape_;
    std::vector<Level> levels_;
    bool after_key_ = false;
    std::string block_;
};

}  // namespace plimsoll
