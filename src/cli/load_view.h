// What the user sees of a load run while it goes on: a line that moves on a terminal, elsewhere a line every five seconds.
#pragma once

#include <cstdio>
#include <string>

#include "load/plan.h"
#include "load/stats.h"

namespace plimsoll::cli {

// "12 s  50.1 calls/s  12 in flight  p95 812 ms  3 failed"; rate and p95 are of the last full second.
std::string load_line(const load::LoadProgress& progress, const load::LoadStats& stats);

class LoadView {
  public:
    explicit LoadView(std::FILE* stream);
    ~LoadView();  // ends a live line
    LoadView(const LoadView&) = delete;
    LoadView& operator=(const LoadView&) = delete;

    void update(const load::LoadProgress& progress, const load::LoadStats& stats);

  private:
    std::FILE* stream_;
    bool live_;
    bool shown_ = false;
    double next_s_ = 0;
};

}  // namespace plimsoll::cli
