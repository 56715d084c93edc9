// NVIDIA GPUs through the driver's own library, loaded when the program runs: without it, or without a GPU, there is simply nothing to
// read. Calls may block for milliseconds: not on an io thread of the load.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "load/sample.h"

namespace plimsoll::load {

inline constexpr const char* kNvmlLibrary = "libnvidia-ml.so.1";

class Nvml {
  public:
    // Null when the library is not there, lacks a function or does not start.
    static std::unique_ptr<Nvml> open(const std::string& library = kNvmlLibrary);
    ~Nvml();
    Nvml(const Nvml&) = delete;
    Nvml& operator=(const Nvml&) = delete;

    // A GPU that does not answer is left out.
    std::vector<GpuSample> read() const;

  private:
    struct Functions;
    explicit Nvml(std::unique_ptr<Functions> functions);
    std::unique_ptr<Functions> functions_;
};

}  // namespace plimsoll::load
