// `plimsoll validate` with the whole catalogue: what a config may say without any effect is said, with its place.
#include <gmock/gmock.h>

#include "configs.h"
#include "fixture.h"

namespace plimsoll::test {
namespace {

using testing::HasSubstr;

class Validate : public FolderTest {
  protected:
    Finished validate(const std::string& text, bool strict = false) {
        write("c.yml", text);
        return run_program({"validate", "--config_file", "c.yml", strict ? "--strict" : "--strict=false"}, folder());
    }
};

struct Case {
    const char* name;
    std::string added;  // to a config that is right
    std::string said;
    bool is_error = false;  // also without --strict
    friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }
};

class ValidateKeys : public Validate, public testing::WithParamInterface<Case> {};

TEST_P(ValidateKeys, AreNamedWithTheirPlace) {
    const Case& c = GetParam();
    const auto result = validate(c.added);
    EXPECT_EQ(result.exit_code, c.is_error ? 1 : 0) << result.err;
    EXPECT_THAT(result.err, HasSubstr(c.said));
}

INSTANTIATE_TEST_SUITE_P(
    All, ValidateKeys,
    testing::Values(
        Case{"local", "llms:\n  m:\n    _type: local\n    slotss: 8\n",
             "c.yml:4:5: llms.m.slotss: is not a known setting; did you mean \"slots\"?"},
        Case{"local_extra", "llms:\n  m:\n    _type: local\n    repeat_penalty: 8\n", "llms.m.repeat_penalty: is not a known setting"},
        Case{"remote", "llms:\n  m:\n    _type: nim\n    model_name: m\n    temprature: 0\n", "did you mean \"temperature\"?"},
        Case{"embedder", "embedders:\n  m:\n    _type: openai\n    model_name: m\n    bach_size: 8\n", "did you mean \"batch_size\"?"},
        Case{"profiler", "eval:\n  profiler:\n    bottleneck_analysis:\n      enable_nested: true\n",
             "c.yml:4:7: eval.profiler.bottleneck_analysis.enable_nested: is not a known setting"},
        Case{"spikes", "eval:\n  profiler:\n    concurrency_spike_analysis:\n      spike_threshold: x\n", "c.yml:4:24:", true},
        Case{"bottlenecks", "eval:\n  profiler:\n    bottleneck_analysis: 5\n", "c.yml:3:26:", true},
        Case{"structure", "eval:\n  dataset:\n    _type: json\n    structure: {qestion_key: q}\n", "did you mean \"question_key\"?", true},
        Case{"structure_shape", "eval:\n  dataset:\n    _type: json\n    structure: 5\n", "c.yml:4:16:", true},
        Case{"filter_shape", "eval:\n  dataset:\n    _type: json\n    filter: [1]\n", "c.yml:4:13:", true},
        Case{"step_filter", "eval:\n  general:\n    dataset: {_type: json}\n    output:\n      workflow_output_step_filter: [LLM_STOP]\n",
             "LLM_STOP", true},
        Case{"optimizer", "optimizer:\n  a: 1\n", "c.yml:1:1: optimizer: this build does not run optimizer"},
        Case{"front_end", "general:\n  front_end:\n    _type: fastapi\n    workers: 4\n", "general.front_end.workers: has no effect"}),
    [](const auto& c) { return c.param.name; });

TEST_F(Validate, ServersOwnKeysPass) {
    const auto result = validate(
        "llms:\n  m:\n    _type: openai\n    model_name: m\n    top_k: 5\n    min_tokens: 3\n    chat_template_kwargs: {a: b}\n", true);
    EXPECT_EQ(result.exit_code, 0) << result.err;
}

}  // namespace
}  // namespace plimsoll::test
