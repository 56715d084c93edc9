// A stand-in for the GPU driver's library: two GPUs, the second of which says nothing of its power.
#include <cstdint>

namespace {

constexpr int kSuccess = 0, kInvalid = 2, kUnsupported = 3;
int handles[2];
int started = 0;

struct Utilization {
    unsigned gpu, memory;
};
struct Memory {
    unsigned long long total, free, used;
};

int index_of(const void* device) { return device == &handles[0] ? 0 : device == &handles[1] ? 1 : -1; }

}  // namespace

extern "C" {

int nvmlInit_v2() { return ++started == 1 ? kSuccess : kInvalid; }
int nvmlShutdown() { return --started == 0 ? kSuccess : kInvalid; }

int nvmlDeviceGetCount_v2(unsigned* count) {
    *count = 3;  // one more than answer
    return started == 1 ? kSuccess : kInvalid;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
    if (index > 1) return kInvalid;
    *device = &handles[index];
    return kSuccess;
}

int nvmlDeviceGetUtilizationRates(void* device, Utilization* out) {
    out->gpu = index_of(device) == 0 ? 85 : 15;
    return index_of(device) < 0 ? kInvalid : kSuccess;
}

int nvmlDeviceGetMemoryInfo(void* device, Memory* out) {
    constexpr std::uint64_t kGibibyte = 1ull << 30;
    *out = {80 * kGibibyte, 20 * kGibibyte, 60 * kGibibyte};
    return index_of(device) < 0 ? kInvalid : kSuccess;
}

int nvmlDeviceGetPowerUsage(void* device, unsigned* milliwatt) {
    if (index_of(device) != 0) return kUnsupported;
    *milliwatt = 400'500;
    return kSuccess;
}

}  // extern "C"
