#include "load/nvml.h"

#include <dlfcn.h>

#include <algorithm>
#include <utility>

namespace plimsoll::load {
namespace {

// The part of the library's interface that is used, as its documentation states it.
constexpr int kSuccess = 0;
using Device = void*;
struct Utilization {
    unsigned gpu, memory;  // percent
};
struct Memory {
    unsigned long long total, free, used;  // bytes
};
constexpr unsigned kMaxGpus = 64;

template <class F>
bool find(void* library, const char* name, F*& out) {
    out = reinterpret_cast<F*>(::dlsym(library, name));
    return out != nullptr;
}

}  // namespace

struct Nvml::Functions {
    void* library = nullptr;
    int (*init)() = nullptr;
    int (*shutdown)() = nullptr;
    int (*count)(unsigned*) = nullptr;
    int (*device)(unsigned, Device*) = nullptr;
    int (*utilization)(Device, Utilization*) = nullptr;
    int (*memory)(Device, Memory*) = nullptr;
    int (*power)(Device, unsigned*) = nullptr;

    ~Functions() {
        if (library) ::dlclose(library);
    }
    bool load(const std::string& name) {
        library = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
        return library && find(library, "nvmlInit_v2", init) && find(library, "nvmlShutdown", shutdown) &&
               find(library, "nvmlDeviceGetCount_v2", count) && find(library, "nvmlDeviceGetHandleByIndex_v2", device) &&
               find(library, "nvmlDeviceGetUtilizationRates", utilization) && find(library, "nvmlDeviceGetMemoryInfo", memory) &&
               find(library, "nvmlDeviceGetPowerUsage", power);
    }
};

Nvml::Nvml(std::unique_ptr<Functions> functions) : functions_(std::move(functions)) {}

Nvml::~Nvml() { functions_->shutdown(); }

std::unique_ptr<Nvml> Nvml::open(const std::string& library) {
    auto functions = std::make_unique<Functions>();
    if (!functions->load(library) || functions->init() != kSuccess) return nullptr;
    return std::unique_ptr<Nvml>(new Nvml(std::move(functions)));
}

std::vector<GpuSample> Nvml::read() const {
    constexpr double kPercent = 100, kMilliwatt = 1e-3;
    std::vector<GpuSample> out;
    unsigned count = 0;
    if (functions_->count(&count) != kSuccess) return out;
    for (unsigned i = 0; i < std::min(count, kMaxGpus); ++i) {
        Device device = nullptr;
        Utilization use{};
        if (functions_->device(i, &device) != kSuccess || functions_->utilization(device, &use) != kSuccess) continue;
        GpuSample gpu;
        gpu.index = static_cast<int>(i);
        gpu.utilization = use.gpu / kPercent;
        Memory memory{};
        if (functions_->memory(device, &memory) == kSuccess) {
            gpu.memory_used = static_cast<double>(memory.used);
            gpu.memory_total = static_cast<double>(memory.total);
        }
        unsigned milliwatt = 0;
        if (functions_->power(device, &milliwatt) == kSuccess) gpu.power_w = milliwatt * kMilliwatt;
        out.push_back(gpu);
    }
    return out;
}

}  // namespace plimsoll::load
