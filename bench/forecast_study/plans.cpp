#include <algorithm>
#include <cmath>
#include <random>

#include "truth.h"

namespace study {
namespace {

class Dice {
  public:
    explicit Dice(std::uint64_t seed) : engine_(seed) {}
    int between(int low, int high) { return std::uniform_int_distribution<int>(low, high)(engine_); }
    double lognormal(double mean, double sigma) {
        return std::lognormal_distribution<double>(std::log(mean) - sigma * sigma / 2, sigma)(engine_);
    }
    bool chance(double p) { return std::bernoulli_distribution(p)(engine_); }
    Op call(double prompt, double output) {
        return {true, std::max(16, static_cast<int>(lognormal(prompt, 0.4))),
                std::clamp(static_cast<int>(lognormal(output, 0.45)), 4, 4000), 0};
    }
    Op search(double seconds) { return {false, 0, 0, std::max(0.05, lognormal(seconds, 0.6))}; }

  private:
    std::mt19937_64 engine_;
};

Stage one(const std::string& name, Op op) { return {name, {{op}}}; }

Plan research(Dice& dice, double scale) {
    Plan plan{one("plan", dice.call(1100 * scale, 260))};
    Stage search{"research", {}};
    for (int i = dice.between(3, 8); i > 0; --i) search.branches.push_back({dice.search(1.5), dice.call(5200 * scale, 330)});
    plan.push_back(search);
    Stage write{"write_sections", {}};
    for (int i = dice.between(3, 6); i > 0; --i) write.branches.push_back({dice.call(6000 * scale, 650)});
    plan.push_back(write);
    for (int loops = 0; loops < 2 && dice.chance(0.5); ++loops) {
        plan.push_back(one("reflect", dice.call(5000 * scale, 220)));
        plan.push_back({"extend", {{dice.search(1.5), dice.call(5200 * scale, 330)}}});
    }
    plan.push_back(one("finalize", dice.call(7000 * scale, 900)));
    return plan;
}

Plan loop(Dice& dice, double scale) {
    Plan plan;
    double prompt = 900;
    for (int i = dice.between(3, 9); i > 0; --i) {
        plan.push_back({"think", {{dice.call(prompt * scale, 160), dice.search(0.8)}}});
        prompt += 700;
    }
    plan.push_back(one("answer", dice.call(prompt * scale, 420)));
    return plan;
}

Plan map_reduce(Dice& dice, double scale) {
    Stage map{"map", {}};
    for (int i = dice.between(6, 14); i > 0; --i) map.branches.push_back({dice.call(2500 * scale, 180)});
    return {one("split", dice.call(800 * scale, 90)), map, one("reduce", dice.call(3200 * scale, 700)), {"deliver", {{dice.search(2.0)}}}};
}

}  // namespace

Plan make_plan(Shape shape, double prompt_scale, std::uint64_t seed, int index) {
    Dice dice(seed * 7919 + static_cast<std::uint64_t>(index) * 104729 + 17);
    switch (shape) {
        case Shape::research: return research(dice, prompt_scale);
        case Shape::loop: return loop(dice, prompt_scale);
        case Shape::map_reduce: return map_reduce(dice, prompt_scale);
    }
    return {};
}

}  // namespace study
