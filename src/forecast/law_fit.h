// Fits a step law to what a recording shows of one model endpoint.
//
// Where every token is visible, the server's own steps are rebuilt (step_rebuild.h) and fitted directly. Else each call gives two
// equations: its decode time is the sum of the steps it ran in, with the mean number of sequences and tokens beside it and
// the prompts that were read meanwhile; its time to the first token is half a step, then the steps that read the prompts before
// it and its own. Both are solved by damped Gauss-Newton in the logarithms of the coefficients, so that none is negative, on
// relative errors of sums (means are wanted, not medians: a server's rare slow steps are part of its speed).
#pragma once

#include <array>
#include <span>
#include <vector>

#include "base/error.h"
#include "forecast/recording.h"
#include "forecast/step_law.h"

namespace plimsoll::forecast {

struct FitSettings {
    int replicas = 1;
    double max_num_seqs = 0;        // a replica
    double max_batched_tokens = 0;  // a step
    bool chunked_prefill = true;
};

// Prompts that were read together while a call ran.
struct PromptGroup {
    double tokens = 0;
    double prompts = 0;
};

struct Observation {
    enum class Kind : std::uint8_t { step, decode, first_token };
    Kind kind = Kind::step;
    double seconds = 0;
    double n = 0, context = 0;  // of one replica
    double tokens = 0;          // decode: steps of the call
    double share = 1;           // chance that a prompt met the same replica
    double busy = 0;            // first_token: chance that a step was under way
    std::vector<PromptGroup> groups;
    double sd = 0.1;     // expected scatter, relative to the expected seconds
    double typical = 0;  // when not 0, `sd` is of this many seconds and grows with the root: sums over many are kept
    int cluster = 0;     // observations that are drawn together in a bootstrap: a session's, or a stretch of time
};

struct Observations {
    std::vector<Observation> list;
    int clusters = 0;
    bool steps_rebuilt = false;
    double peak_n = 0;  // sequences a replica, the highest seen
    double peak_context = 0;

    // Where the steps themselves are seen, first tokens say nothing more of the law but the ingest delay.
    bool ignores(const Observation& one) const { return steps_rebuilt && one.kind == Observation::Kind::first_token; }
};
Observations observe(const Recording& recording, int endpoint, const FitSettings& settings);

// Seconds that `law` expects for an observation.
double expected_seconds(const StepLaw& law, const Observation& observation, const FitSettings& settings);

// What the first token of each call would take if it never waited for a place in the batch, by level and call; 0 where the
// call is of another endpoint or did not stream.
std::vector<std::vector<double>> unqueued_first_tokens(const Recording& recording, int endpoint, const StepLaw& law,
                                                       const FitSettings& settings);

class LawFit {
  public:
    // Errors: invalid_argument (too few observations for the form's coefficients).
    static Result<LawFit> fit(LawForm form, const Observations& observations, const FitSettings& settings);

    const StepLaw& law() const { return law_; }
    // The law of a bootstrap sample, by one Gauss-Newton step from the fitted one: how often each cluster was drawn, of
    // length Observations::clusters.
    StepLaw resampled(std::span<const double> cluster_weight) const;
    // Mean log(1 + z²/3) over the observations, z a residual in units of its expected scatter: to a constant and a factor of 2 the
    // negative log likelihood under Student's t with 3 degrees of freedom, which rare slow steps do not drown.
    double misfit() const { return misfit_; }

  private:
    static constexpr std::size_t kMaxCoefficients = 8;
    struct Row {
        std::array<double, kMaxCoefficients> slope{};  // d expected / d log coefficient, over its scale
        double residual = 0;                           // over its scale
        double weight = 1;
        int cluster = 0;
    };
    using Coefficients = std::vector<double StepLaw::*>;

    void descend(const Observations& observations, const FitSettings& settings);
    void linearise(const Observations& observations, const FitSettings& settings);
    std::array<double, kMaxCoefficients> solve(std::span<const double> cluster_weight, double damping) const;
    double cost(const StepLaw& law, const Observations& observations, const FitSettings& settings) const;
    void set_scales(const Observations& observations, const FitSettings& settings);
    StepLaw moved(const std::array<double, kMaxCoefficients>& by) const;
    void make_table(const Observations& observations, const FitSettings& settings);

    StepLaw law_;
    StepLaw start_;  // centre of the weak prior
    Coefficients coefficients_;
    std::vector<Row> rows_;
    std::vector<double> scales_;       // by observation: expected scatter in seconds under the present law
    std::vector<double> table_ratio_;  // g(n) over the line
    double misfit_ = 0;
};

}  // namespace plimsoll::forecast
