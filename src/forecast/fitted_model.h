// Everything a forecast needs of a recording: step laws of all forms, tool pools, scripts to play, and how far the played
// measurements lie from the real ones.
#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "forecast/law_fit.h"
#include "forecast/network.h"
#include "forecast/server_evidence.h"
#include "forecast/tool_pool.h"

namespace plimsoll::forecast {

// The network played at a measured concurrency with the very sessions that were recorded there.
struct LevelCheck {
    int concurrency = 0;
    double mean_error = 0;  // of the session length: log(played / measured)
    double p95_error = 0;
};

// A step without prompts, with as many sequences as a replica ever had, of the endpoint where two fits differ most.
struct FullStep {
    std::string endpoint;
    int sequences = 0;
    double predicted = 0, fitted = 0;  // seconds: fitted without the highest level, and with it
    double log_error() const { return std::log(predicted / fitted); }
    // Whether it is a cause of a held-out error with that sign.
    bool explains(double error) const { return log_error() * error > 0 && std::abs(log_error()) > kOther; }
    static constexpr double kOther = 0.1;  // nearer than this (of the logarithm) two steps are the same
};

// One form of step law, for all endpoints, under one batch budget.
struct FormFit {
    LawForm form = LawForm::linear;
    double batch_budget = 0;
    std::vector<LawFit> laws;  // by endpoint
    double decode_scale = 1, prompt_scale = 1;
    std::vector<LevelCheck> checks;
    double held_out_error = 0;  // of the mean session at a level that the same form did not see: log(played / measured)
    FullStep held_out_step;     // by the same two fits
    double held_out_rest = 0;   // of held_out_error, without what that step explains where no target has larger batches
    double weight = 0;          // of all form fits together 1

    double mismatch() const;  // root mean square of the mean errors; the highest level counts twice
};

struct Choice {  // what a single play assumes of unknowns
    std::vector<StepLaw> laws;
    std::vector<int> tool_servers;
    double batch_budget = 0;
    double places_share = 1, memory_share = 1;  // 0: the lowest limit that is possible, 1: the highest
    std::size_t routing = 0;
    bool only_reached = false;  // stated and assumed limits count for nothing: all are just where the measurement has been
};

class FittedModel {
  public:
    // Fits and calibrates. Errors: invalid_argument (too few calls), limit (a play that is too long).
    static Result<FittedModel> fit(const Recording& recording, const Limits& limits, std::uint64_t seed);

    // Weighs the forms by how well `lower`, the same fit without the highest level, plays that level's sessions.
    Result<void> weigh_by_held_out(const FittedModel& lower, std::uint64_t seed);

    const std::vector<FormFit>& forms() const { return forms_; }
    const FormFit& heaviest_form() const;
    const std::vector<ToolPoolFit>& tools() const { return tools_; }
    const std::vector<ResolvedLimits>& limits() const { return limits_; }
    const std::vector<ServerEvidence>& evidence() const { return evidence_; }
    const Recording& recording() const { return recording_; }
    std::vector<std::string> warnings() const;

    // The best guess under one form, and one bootstrap draw: of sessions (for the laws), form, pools and unknown limits.
    Choice best_choice(const FormFit& form) const;
    Choice draw_choice(Random& random) const;
    NetworkModel make_network(const Choice& choice) const;

    // Sessions to play, drawn with the weights of the recording; `resample` draws the recorded sessions themselves first.
    std::vector<const Script*> draw_order(std::size_t count, Random& random, bool resample) const;
    std::size_t distinct_sessions() const { return pool_.size(); }
    double mean_session_seconds() const;                    // over the lowest level
    std::size_t most_calls() const { return most_calls_; }  // model calls of a session

  private:
    struct Item {
        std::vector<const Script*> scripts;  // the same dataset item, measured at several levels
        double weight = 0;
    };

    void fit_tools(const Limits& limits);
    void compare_caches();
    void make_scripts();
    Result<void> fit_laws(const Limits& limits);
    Result<void> calibrate(FormFit& form, std::uint64_t seed) const;
    Result<NetworkResult> play_level(const FormFit& form, std::size_t level, std::uint64_t seed) const;
    Result<std::vector<double>> play_levels(const FormFit& form, std::uint64_t seed, std::vector<LevelCheck>* checks) const;
    void weigh_forms();
    FullStep compare_full_steps(const FormFit& predicted, const FormFit& fitted) const;
    bool batches_were_full() const;

    Recording recording_;
    std::vector<FormFit> forms_;
    bool steps_rebuilt_ = true;  // at every endpoint
    std::vector<int> clusters_;  // by endpoint: of observations in a bootstrap
    std::vector<ToolPoolFit> tools_;
    std::vector<ServerEvidence> evidence_;
    std::vector<ResolvedLimits> limits_;
    std::vector<std::vector<std::unique_ptr<Script>>> scripts_;  // by level, of usable sessions in the order of their start
    std::vector<std::unique_ptr<Script>> changed_scripts_;       // of sessions that a forecast plays differently
    // By level and endpoint: prompt tokens to be read where the highest level's cache finds as much as it did, over those read there.
    std::vector<std::vector<double>> reading_ratio_;
    std::vector<std::string> cache_warnings_;
    std::vector<Item> pool_;
    std::size_t most_calls_ = 1;
};

}  // namespace plimsoll::forecast
