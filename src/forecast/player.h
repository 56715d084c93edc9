// Plays a fitted model at a target: one run, or a bootstrap of them. What is too large to play is cut into equal cells (cells.h), or
// carried on along the straight line of a saturated system.
#pragma once

#include <vector>

#include "forecast/forecast.h"

namespace plimsoll::forecast {

struct Target {
    int users = 0;
    std::optional<double> rate;
    int replicas = 0;  // of every endpoint; 0: as stated in the limits
};

// What a play takes the limits of servers and tools to be.
enum class LimitGuess : std::uint8_t {
    best,            // stated limits as stated, unknown ones as high as possible
    lowest_unknown,  // unknown ones as low as the recording allows
    only_reached,    // all of them, stated ones too
};

struct Played {
    double p95 = 0, call_p95 = 0, mean = 0;  // seconds
    double sessions_per_second = 0;
    bool overloaded = false;
    NetworkResult details;          // of the cell that was played
    std::vector<int> tool_servers;  // of that cell; 0: no bound
};

Choice with_limits(Choice choice, LimitGuess guess);

class Player {
  public:
    Player(const FittedModel& model, const ForecastRequest& request);

    // `sessions` are counted. Errors: limit.
    Result<Played> play_once(const Choice& choice, const Target& target, std::size_t sessions, std::uint64_t seed, bool resample) const;

    // Geometric mean over the forms by their weights, each played with its best choice.
    Result<Played> play_best(const Target& target, std::size_t sessions, LimitGuess guess = LimitGuess::best) const;
    // p95 of the workflow: of users that go on, and of a measurement that ends with its `sessions`, the first one of each user left out.
    Result<double> p95(int users) const;
    Result<double> measurement_p95(int users, std::size_t sessions) const;
    Result<std::vector<Played>> play_forms(const Target& target, std::size_t sessions, LimitGuess guess) const;
    Result<std::vector<Played>> bootstrap(const Target& target, int draws) const;

    double think_time() const { return think_time_; }

  private:
    Result<NetworkResult> play_users(const NetworkModel& network, double users, std::optional<double> rate, std::size_t sessions,
                                     Random& random, std::uint64_t seed, bool resample) const;
    NetworkModel make_network(const Choice& choice, const Target& target) const;

    const FittedModel& model_;
    const ForecastRequest& request_;
    double think_time_;
};

// Geometric mean by the weights of the model's forms.
Played combine(const std::vector<Played>& played, const std::vector<FormFit>& forms);

// Sessions worth counting of a play for `users`: enough for a p95.
std::size_t sessions_for(int users, bool thorough);

}  // namespace plimsoll::forecast
