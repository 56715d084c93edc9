#include "llm/sim_options.h"

#include <fmt/format.h>

#include "llm/sim_answer.h"
#include "llm/sim_pace.h"

namespace plimsoll::llm {
namespace {

bool is_delay(std::chrono::microseconds span) { return span.count() >= 0 && span <= kMaxSimDelay; }

}  // namespace

Result<void> check_sim_options(const SimOptions& options) {
    const auto bad = [](std::string what) { return fail(ErrorCode::invalid_argument, std::move(what)); };
    if (!is_delay(options.ttft) || !is_delay(options.itl) || !is_delay(options.slow_start))
        return bad("ttft, itl and slow_start are between 0 and one hour");
    if (options.retry_after.count() < 0 || options.retry_after > kMaxSimDelay) return bad("retry_after is between 0 and one hour");
    if (!(options.jitter >= 0 && options.jitter <= 1)) return bad("jitter is between 0 and 1");
    if (options.tokens < 1 || options.tokens > kMaxSimTokens) return bad(fmt::format("tokens is between 1 and {}", kMaxSimTokens));
    if (options.engine) PLIMSOLL_TRY(check_sim_engine_options(*options.engine));
    if (options.max_concurrency < 0) return bad("max_concurrency is not negative");
    if (options.embedding_dim < 1 || options.embedding_dim > kMaxSimDimensions)
        return bad(fmt::format("embedding_dim is between 1 and {}", kMaxSimDimensions));
    return {};
}

std::unique_ptr<SimTimeline> make_sim_timeline(const SimOptions& options) {
    if (!options.engine)
        return std::make_unique<SimPace>(SimPaceOptions{.ttft = options.ttft,
                                                        .itl = options.itl,
                                                        .jitter = options.jitter,
                                                        .max_jobs = static_cast<std::size_t>(std::max(0, options.max_concurrency))});
    SimEngineOptions engine = *options.engine;
    engine.jitter = options.jitter;
    engine.seed = options.seed;
    return std::make_unique<SimEngine>(engine);
}

}  // namespace plimsoll::llm
