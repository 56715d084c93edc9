#include "forecast/fitted_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/stats.h"

namespace plimsoll::forecast {
namespace {

// Errors below this are noise of the measurement: forms that stay below fit equally well.
constexpr double kEqualMismatch = 0.03;
// How strongly the misfit speaks between forms: as so many independent observations, far fewer than there are, since every form is
// wrong somewhere; steps that were rebuilt show the law itself, equations of calls what many steps added up to. A form that fits
// worse keeps this share of its say, so that the interval still knows of it.
constexpr double kStepEvidence = 800, kCallEvidence = 200, kLeastSay = 0.03;
constexpr int kCalibrationRounds = 3;
// A cache that makes the lowest and the highest level read prompts this different (of the logarithm) is worth a word.
constexpr double kOtherCache = 0.2;
// How much the two scales may move: the laws are fitted already, calibration only takes out what the equations simplify.
// Where the steps themselves were seen there is less to simplify.
constexpr double kScaleSd = 0.15, kScaleSdOfSteps = 0.03;
// Weights of a level's mean session length, time between tokens and time to the first token in the calibration.
constexpr double kLengthSd = 0.02, kTokenSd = 0.03, kFirstTokenSd = 0.10;

struct LevelMeans {
    double length = 0, token = 0, first_token = 0;
};

LevelMeans measured_means(const Level& level) {
    LevelMeans means;
    double decode = 0, tokens = 0, first = 0, calls = 0;
    std::vector<double> lengths;
    for (const auto& session : level.sessions)
        if (session.usable() && !session.warm_up) lengths.push_back(session.length());
    for (const ModelCall& call : level.calls) {
        const auto& session = level.sessions[static_cast<std::size_t>(call.session)];
        if (!call.streamed || !session.usable() || session.warm_up) continue;
        decode += call.decode_seconds();
        tokens += call.output - 1;
        first += call.first_token - call.sent;
        calls += 1;
    }
    means.length = mean(lengths);
    means.token = tokens > 0 ? decode / tokens : 0;
    means.first_token = calls > 0 ? first / calls : 0;
    return means;
}

double unweighted_p95(const Level& level) {
    std::vector<double> lengths;
    for (const auto& session : level.sessions)
        if (session.usable() && !session.warm_up) lengths.push_back(session.length());
    return percentile(std::move(lengths), 95);
}

// The graph with so many times the prompt tokens to be read, by endpoint; the rest is cached.
SessionGraph with_reading(SessionGraph graph, std::span<const double> ratio) {
    for (Task& task : graph.tasks) {
        if (task.kind != TaskKind::model) continue;
        const int whole = task.prompt + task.cached;
        const double read = std::round(task.prompt * ratio[static_cast<std::size_t>(task.resource)]);
        task.prompt = static_cast<int>(std::clamp(read, 1.0, static_cast<double>(whole)));
        task.cached = whole - task.prompt;
    }
    return graph;
}

double log_ratio(double played, double measured) { return played > 0 && measured > 0 ? std::log(played / measured) : 0; }

ReplicaLimits pick_limits(const ResolvedLimits& limits, const Choice& choice) {
    const auto between = [](double low, double high, double share) {
        return static_cast<std::int64_t>(std::llround(std::exp(std::log(low) + share * (std::log(high) - std::log(low)))));
    };
    ReplicaLimits out;
    out.max_num_seqs = between(limits.places_low, limits.places_high, choice.places_share);
    out.kv_tokens = between(limits.memory_low, limits.memory_high, choice.memory_share);
    if (choice.only_reached) {
        out.max_num_seqs = std::min<std::int64_t>(out.max_num_seqs, std::llround(limits.places_reached));
        out.kv_tokens = std::min<std::int64_t>(out.kv_tokens, std::llround(limits.memory_reached));
    }
    out.max_batched_tokens = static_cast<std::int64_t>(choice.batch_budget);
    out.chunked_prefill = limits.chunked_prefill;
    return out;
}

}  // namespace

double FormFit::mismatch() const {
    double sum = 0, weight = 0;
    for (std::size_t i = 0; i < checks.size(); ++i) {
        const double w = i + 1 == checks.size() ? 2 : 1;
        sum += w * checks[i].mean_error * checks[i].mean_error;
        weight += w;
    }
    return weight > 0 ? std::sqrt(sum / weight) : 0;
}

Result<FittedModel> FittedModel::fit(const Recording& recording, const Limits& limits, std::uint64_t seed) {
    FittedModel model;
    model.recording_ = recording;
    model.fit_tools(limits);
    model.compare_caches();
    model.make_scripts();
    PLIMSOLL_TRY(model.fit_laws(limits));
    for (FormFit& form : model.forms_) PLIMSOLL_TRY(model.calibrate(form, seed));
    model.weigh_forms();
    return model;
}

const FormFit& FittedModel::heaviest_form() const { return *std::ranges::max_element(forms_, {}, &FormFit::weight); }

void FittedModel::fit_tools(const Limits& limits) {
    for (std::size_t i = 0; i < recording_.names.tools.size(); ++i) {
        ToolPoolFit fit = fit_tool_pool(recording_, static_cast<int>(i));
        if (const auto known = limits.tool_servers.find(recording_.names.tools[i]); known != limits.tool_servers.end())
            fit.sizes = {{known->second, 1}};
        remove_waits(recording_, static_cast<int>(i), fit.sizes.front().servers);
        tools_.push_back(std::move(fit));
    }
}

// What of a prompt is in a cache is the server's state and not the session's: it changes with the time and with the load.
void FittedModel::compare_caches() {
    const std::size_t endpoints = recording_.names.models.size();
    std::vector<std::vector<double>> read_share;  // of prompt tokens, by level and endpoint
    for (const Level& level : recording_.levels) {
        std::vector<double> read(endpoints, 0), all(endpoints, 0);
        for (const RecordedSession& session : level.sessions)
            for (const Task& task : session.graph.tasks) {
                if (task.kind != TaskKind::model) continue;
                read[static_cast<std::size_t>(task.resource)] += task.prompt;
                all[static_cast<std::size_t>(task.resource)] += task.prompt + task.cached;
            }
        for (std::size_t e = 0; e < endpoints; ++e) read[e] = all[e] > 0 ? read[e] / all[e] : 0;
        read_share.push_back(std::move(read));
    }
    const auto& top = read_share.back();
    for (const auto& share : read_share) {
        auto& ratio = reading_ratio_.emplace_back(endpoints, 1);
        for (std::size_t e = 0; e < endpoints; ++e)
            if (share[e] > 0 && top[e] > 0) ratio[e] = top[e] / share[e];
    }
    for (std::size_t e = 0; e < endpoints; ++e)
        if (std::abs(std::log(reading_ratio_.front()[e])) > kOtherCache)
            cache_warnings_.push_back(fmt::format(
                "{}: {:.0f} % of the prompt tokens were in a cache at concurrency {}, {:.0f} % at {}; the latter is taken to go on",
                recording_.names.models[e], 100 * (1 - read_share.front()[e]), recording_.levels.front().concurrency, 100 * (1 - top[e]),
                recording_.max_concurrency()));
}

void FittedModel::make_scripts() {
    std::map<std::uint64_t, std::size_t> by_signature;
    for (std::size_t l = 0; l < recording_.levels.size(); ++l) {
        auto& scripts = scripts_.emplace_back();
        const bool other_cache = std::ranges::any_of(reading_ratio_[l], [](double ratio) { return ratio != 1; });
        for (const RecordedSession& session : recording_.levels[l].sessions) {
            if (!session.usable()) continue;
            scripts.push_back(std::make_unique<Script>(session.graph));
            const auto calls = std::ranges::count(session.graph.tasks, TaskKind::model, &Task::kind);
            most_calls_ = std::max(most_calls_, static_cast<std::size_t>(calls));
            const auto [place, added] = by_signature.emplace(session.signature, pool_.size());
            if (added) pool_.emplace_back();
            Item& item = pool_[place->second];
            const bool changed = other_cache || !session.left_out.empty();
            if (changed)
                changed_scripts_.push_back(
                    std::make_unique<Script>(without_marked(with_reading(session.graph, reading_ratio_[l]), session.left_out)));
            item.scripts.push_back((changed ? changed_scripts_ : scripts).back().get());
            item.weight = item.weight == 0 ? session.weight : std::min(item.weight, session.weight);
        }
    }
}

Result<void> FittedModel::fit_laws(const Limits& limits) {
    std::vector<std::vector<FormFit>> per_endpoint;
    for (std::size_t e = 0; e < recording_.names.models.size(); ++e) {
        const auto claimed = limits.endpoints.find(recording_.names.models[e]);
        const EndpointLimits claim = claimed == limits.endpoints.end() ? EndpointLimits{} : claimed->second;
        const int endpoint = static_cast<int>(e);
        // A first fit tells calls that waited for a place from those that did not.
        FitSettings settings;
        settings.replicas = claim.replicas.value_or(1);
        settings.max_num_seqs = static_cast<double>(kUnlimited);
        settings.max_batched_tokens = static_cast<double>(claim.max_batched_tokens.value_or(kUnlimited));
        settings.chunked_prefill = claim.chunked_prefill.value_or(true);
        const Observations first = observe(recording_, endpoint, settings);
        const auto rough = LawFit::fit(LawForm::linear, first, settings);
        if (!rough) return fail(rough.error().with_context(recording_.names.models[e]));
        evidence_.push_back(weigh_evidence(recording_, endpoint, unqueued_first_tokens(recording_, endpoint, rough->law(), settings)));
        limits_.push_back(resolve_limits(recording_.names.models[e], claim, evidence_.back()));
        settings.max_num_seqs = limits_.back().places_low;
        std::vector<FormFit> fits;
        for (const double budget : limits_.back().batch_budgets) {
            settings.max_batched_tokens = budget;
            const Observations observations = observe(recording_, endpoint, settings);
            if (clusters_.size() <= e) clusters_.push_back(observations.clusters);
            steps_rebuilt_ = steps_rebuilt_ && observations.steps_rebuilt;
            for (const LawForm form : kLawForms) {
                auto law = LawFit::fit(form, observations, settings);
                if (!law) return fail(law.error().with_context(recording_.names.models[e]));
                FormFit fit;
                fit.form = form;
                fit.batch_budget = budget;
                fit.laws.push_back(std::move(*law));
                fits.push_back(std::move(fit));
            }
        }
        per_endpoint.push_back(std::move(fits));
    }
    // Endpoints share form and, where it is unknown, budget: mixing all would multiply the work and tell nothing more.
    forms_ = std::move(per_endpoint.front());
    for (std::size_t e = 1; e < per_endpoint.size(); ++e)
        for (std::size_t i = 0; i < forms_.size(); ++i) forms_[i].laws.push_back(per_endpoint[e][i % per_endpoint[e].size()].laws.front());
    return {};
}

Choice FittedModel::best_choice(const FormFit& form) const {
    Choice choice;
    for (const LawFit& fit : form.laws) {
        choice.laws.push_back(fit.law());
        choice.laws.back().decode_scale = form.decode_scale;
        choice.laws.back().prompt_scale = form.prompt_scale;
    }
    for (const ToolPoolFit& tool : tools_) choice.tool_servers.push_back(tool.sizes.front().servers);
    choice.batch_budget = form.batch_budget;
    return choice;
}

Choice FittedModel::draw_choice(Random& random) const {
    const auto pick = [&](const auto& list, auto weight_of) -> std::size_t {
        double at = random.uniform();
        for (std::size_t i = 0; i < list.size(); ++i) {
            at -= weight_of(list[i]);
            if (at < 0) return i;
        }
        return 0;
    };
    const FormFit& form = forms_[pick(forms_, [](const FormFit& one) { return one.weight; })];
    Choice choice = best_choice(form);
    for (std::size_t e = 0; e < form.laws.size(); ++e) {
        std::vector<double> drawn(static_cast<std::size_t>(clusters_[e]), 0);
        for (std::size_t i = 0; i < drawn.size(); ++i)
            drawn[std::min(drawn.size() - 1, static_cast<std::size_t>(random.uniform() * static_cast<double>(drawn.size())))] += 1;
        choice.laws[e] = form.laws[e].resampled(drawn);
        choice.laws[e].decode_scale = form.decode_scale;
        choice.laws[e].prompt_scale = form.prompt_scale;
    }
    for (std::size_t t = 0; t < tools_.size(); ++t)
        choice.tool_servers[t] = tools_[t].sizes[pick(tools_[t].sizes, [](const PoolSize& size) { return size.probability; })].servers;
    choice.places_share = random.uniform();
    choice.memory_share = random.uniform();
    choice.routing = static_cast<std::size_t>(random.uniform() * 2);
    return choice;
}

NetworkModel FittedModel::make_network(const Choice& choice) const {
    NetworkModel network;
    for (std::size_t e = 0; e < limits_.size(); ++e) {
        const auto& routings = limits_[e].routings;
        EndpointModel endpoint;
        endpoint.law = choice.laws[e];
        endpoint.limits = pick_limits(limits_[e], choice);
        endpoint.replicas = limits_[e].replicas;
        endpoint.routing = routings[choice.routing % routings.size()];
        network.endpoints.push_back(std::move(endpoint));
    }
    network.tool_servers = choice.tool_servers;
    if (!choice.only_reached) return network;
    for (std::size_t t = 0; t < tools_.size(); ++t) {
        const int reached = std::max(1, tools_[t].peak);
        network.tool_servers[t] = network.tool_servers[t] > 0 ? std::min(network.tool_servers[t], reached) : reached;
    }
    return network;
}

Result<NetworkResult> FittedModel::play_level(const FormFit& form, std::size_t level, std::uint64_t seed) const {
    Load load;
    for (const auto& script : scripts_[level]) load.order.push_back(script.get());
    load.runs_out = recording_.levels[level].ran_out();
    load.users = recording_.levels[level].concurrency;
    load.think_time = recording_.think_time;
    load.warm_up = std::min(static_cast<std::size_t>(load.users), load.order.size() - 1);
    load.counted = load.order.size() - load.warm_up;
    load.seed = seed;
    return play(make_network(best_choice(form)), load);
}

Result<void> FittedModel::weigh_by_held_out(const FittedModel& lower, std::uint64_t seed) {
    PLIMSOLL_CHECK(lower.forms_.size() == forms_.size(), "the same forms are fitted to every recording");
    const std::size_t top = recording_.levels.size() - 1;
    const double measured = measured_means(recording_.levels[top]).length;
    for (std::size_t i = 0; i < forms_.size(); ++i) {
        const auto played = play_level(lower.forms_[i], top, seed);
        if (!played) return fail(played.error());
        FormFit& form = forms_[i];
        form.held_out_error = form.held_out_rest = log_ratio(played->mean(), measured);
        form.held_out_step = compare_full_steps(lower.forms_[i], form);
        if (!batches_were_full() || !form.held_out_step.explains(form.held_out_error)) continue;
        const double step = form.held_out_step.log_error();
        form.held_out_rest = std::copysign(std::max(0.0, std::abs(form.held_out_error) - std::abs(step)), step);
    }
    weigh_forms();
    return {};
}

FullStep FittedModel::compare_full_steps(const FormFit& predicted, const FormFit& fitted) const {
    const Choice before = best_choice(predicted), now = best_choice(fitted);
    FullStep most;
    for (std::size_t e = 0; e < now.laws.size(); ++e) {
        const double replicas = limits_[e].replicas, n = std::ceil(evidence_[e].peak_sequences / replicas);
        const double context = evidence_[e].peak_tokens / replicas;
        FullStep step{recording_.names.models[e], static_cast<int>(n), before.laws[e].step_seconds(n, context, 0, 0),
                      now.laws[e].step_seconds(n, context, 0, 0)};
        if (e == 0 || std::abs(step.log_error()) > std::abs(most.log_error())) most = std::move(step);
    }
    return most;
}

// As many sequences as the limits allow ran at once, so that no load makes larger batches.
bool FittedModel::batches_were_full() const {
    return std::ranges::all_of(limits_,
                               [](const ResolvedLimits& one) { return one.places_known() && one.places_high <= one.places_reached; });
}

Result<std::vector<double>> FittedModel::play_levels(const FormFit& form, std::uint64_t seed, std::vector<LevelCheck>* checks) const {
    std::vector<double> residuals;
    for (std::size_t l = 0; l < recording_.levels.size(); ++l) {
        const Level& level = recording_.levels[l];
        const auto result = play_level(form, l, seed);
        if (!result) return fail(result.error());
        const LevelMeans measured = measured_means(level);
        residuals.push_back(log_ratio(result->mean(), measured.length) / kLengthSd);
        residuals.push_back(log_ratio(result->mean_token, measured.token) / kTokenSd);
        residuals.push_back(log_ratio(result->mean_first_token, measured.first_token) / kFirstTokenSd);
        if (checks)
            checks->push_back(
                {level.concurrency, log_ratio(result->mean(), measured.length), log_ratio(result->p95(), unweighted_p95(level))});
    }
    return residuals;
}

// Two scales, by Gauss-Newton on the logarithms with a prior of no change.
Result<void> FittedModel::calibrate(FormFit& form, std::uint64_t seed) const {
    constexpr double kDelta = 0.04;
    for (int round = 0; round < kCalibrationRounds; ++round) {
        auto base = play_levels(form, seed, nullptr);
        if (!base) return fail(base.error());
        FormFit slower = form, prompts_slower = form;
        slower.decode_scale *= std::exp(kDelta);
        prompts_slower.prompt_scale *= std::exp(kDelta);
        const auto by_decode = play_levels(slower, seed, nullptr), by_prompt = play_levels(prompts_slower, seed, nullptr);
        if (!by_decode) return fail(by_decode.error());
        if (!by_prompt) return fail(by_prompt.error());
        const double sd = steps_rebuilt_ ? kScaleSdOfSteps : kScaleSd;
        const double prior = 1 / (sd * sd);
        double dd = prior, pp = prior, dp = 0;
        double gd = -prior * std::log(form.decode_scale), gp = -prior * std::log(form.prompt_scale);
        for (std::size_t i = 0; i < base->size(); ++i) {
            const double by_d = ((*by_decode)[i] - (*base)[i]) / kDelta, by_p = ((*by_prompt)[i] - (*base)[i]) / kDelta;
            dd += by_d * by_d;
            pp += by_p * by_p;
            dp += by_d * by_p;
            gd -= by_d * (*base)[i];
            gp -= by_p * (*base)[i];
        }
        const double det = dd * pp - dp * dp;
        if (det <= 0) break;
        const double decode_step = std::clamp((gd * pp - gp * dp) / det, -0.2, 0.2),
                     prompt_step = std::clamp((gp * dd - gd * dp) / det, -0.2, 0.2);
        form.decode_scale *= std::exp(decode_step);
        form.prompt_scale *= std::exp(prompt_step);
        if (std::abs(decode_step) < 0.005 && std::abs(prompt_step) < 0.01) break;
    }
    const auto checked = play_levels(form, seed, &form.checks);
    if (!checked) return fail(checked.error());
    return {};
}

void FittedModel::weigh_forms() {
    const auto misfit_of = [](const FormFit& form) {
        double sum = 0;
        for (const LawFit& law : form.laws) sum += law.misfit();
        return sum / static_cast<double>(form.laws.size());
    };
    double least = misfit_of(forms_.front());
    for (const FormFit& form : forms_) least = std::min(least, misfit_of(form));
    double total = 0;
    for (FormFit& form : forms_) {
        const double mismatch = form.mismatch();
        const double error = mismatch * mismatch + form.held_out_error * form.held_out_error + kEqualMismatch * kEqualMismatch;
        const double worse = misfit_of(form) - least;
        // Without rebuilt steps the table's misfit is that of the line it is drawn on: one hypothesis, twice.
        const double prior = steps_rebuilt_ || form.form == LawForm::roofline ? 1 : 0.5;
        const double evidence = steps_rebuilt_ ? kStepEvidence : kCallEvidence;
        form.weight = prior * std::max(kLeastSay, std::exp(-evidence * worse)) / (error * error);
        total += form.weight;
    }
    for (FormFit& form : forms_) form.weight /= total;
}

std::vector<const Script*> FittedModel::draw_order(std::size_t count, Random& random, bool resample) const {
    std::vector<double> weights(pool_.size(), 0);
    if (resample) {
        for (std::size_t i = 0; i < pool_.size(); ++i) {
            const auto drawn = std::min(pool_.size() - 1, static_cast<std::size_t>(random.uniform() * static_cast<double>(pool_.size())));
            weights[drawn] += pool_[drawn].weight;
        }
    } else {
        for (std::size_t i = 0; i < pool_.size(); ++i) weights[i] = pool_[i].weight;
    }
    std::vector<double> sums;
    double total = 0;
    for (const double weight : weights) sums.push_back(total += weight);
    std::vector<const Script*> order;
    order.reserve(count);
    // Evenly spaced draws: every recorded session comes as often as its weight says, which keeps the noise of a play low.
    for (std::size_t i = 0; i < count; ++i) {
        const double at = (static_cast<double>(i) + random.uniform()) / static_cast<double>(count) * total;
        const auto index = std::min(pool_.size() - 1, static_cast<std::size_t>(std::ranges::lower_bound(sums, at) - sums.begin()));
        const auto& scripts = pool_[index].scripts;
        order.push_back(
            scripts[std::min(scripts.size() - 1, static_cast<std::size_t>(random.uniform() * static_cast<double>(scripts.size())))]);
    }
    for (std::size_t i = order.size(); i > 1; --i)
        std::swap(order[i - 1], order[std::min(i - 1, static_cast<std::size_t>(random.uniform() * static_cast<double>(i)))]);
    return order;
}

double FittedModel::mean_session_seconds() const { return recording_.levels.front().mean_length(); }

std::vector<std::string> FittedModel::warnings() const {
    std::vector<std::string> out = recording_.warnings;
    out.insert(out.end(), cache_warnings_.begin(), cache_warnings_.end());
    for (const ResolvedLimits& one : limits_) out.insert(out.end(), one.warnings.begin(), one.warnings.end());
    return out;
}

}  // namespace plimsoll::forecast
