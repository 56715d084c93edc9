// A whole forecast: fit of five levels, held-out check, 100 bootstraps of one target.
#include <benchmark/benchmark.h>

#include "base/decompress.h"
#include "base/files.h"
#include "forecast/forecast.h"

namespace plimsoll::forecast {
namespace {

Recording load_recording() {
    const std::filesystem::path folder = std::filesystem::path(PLIMSOLL_SOURCE_DIR) / "tests" / "data" / "forecast";
    RecordingBuilder builder;
    for (const int c : {1, 2, 4, 8, 16}) {
        const std::string name = "c" + std::to_string(c) + ".json.gz";
        const auto bytes = load_file(folder / name).value();
        auto file = event::parse_traces(decompress(bytes, Compression::gzip, std::size_t{1} << 30)->text).value();
        (void)builder.add({c, name, std::move(file.sessions)});
    }
    return std::move(builder).finish().value();
}

void forecast_of_100_draws(benchmark::State& state) {
    const Recording recording = load_recording();
    ForecastRequest request;
    request.users = {static_cast<int>(state.range(0))};
    request.limits.endpoints["model-a"] = {
        .replicas = 2, .routing = Routing::round_robin, .max_num_seqs = 96, .kv_tokens = 900'000, .max_batched_tokens = 4096};
    for (auto _ : state) benchmark::DoNotOptimize(make_forecast(recording, request));
}
BENCHMARK(forecast_of_100_draws)->Arg(200)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace plimsoll::forecast
