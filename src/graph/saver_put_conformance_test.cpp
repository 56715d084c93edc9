// put() and put_writes(). See saver_conformance.h.
#include "graph/saver_conformance.h"

namespace plimsoll::graph {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

INSTANTIATE_TEST_SUITE_P(Savers, SaverConformance, testing::ValuesIn(kSavers), [](const auto& test) { return test.param.name; });

TEST_P(SaverConformance, put_returns_config) {
    const Checkpoint checkpoint = checkpoint_of();
    put({"t", "", ""}, checkpoint);
    EXPECT_EQ(get({"t", "", ""}).key, (CheckpointKey{"t", "", checkpoint.id}));
}

TEST_P(SaverConformance, put_roundtrip) {
    Checkpoint checkpoint = checkpoint_of({{"k", "\"v\""}});
    checkpoint.updated = {"k", "other"};
    const StoredCheckpoint stored = get(put({"t", "", ""}, checkpoint));
    EXPECT_EQ(stored.checkpoint.id, checkpoint.id);
    EXPECT_EQ(stored.checkpoint.created_at, checkpoint.created_at);
    EXPECT_EQ(stored.checkpoint.updated, checkpoint.updated);
    EXPECT_THAT(texts(stored.checkpoint), ElementsAre("k=\"v\""));
}

TEST_P(SaverConformance, put_preserves_channel_values) {
    const std::string zeros("\0\xff\0", 3);
    const std::string huge(3u << 20, 'x');
    const std::map<std::string, std::string> values{
        {"bytes", zeros}, {"dict", R"({"a":{"b":1}})"}, {"empty", ""}, {"huge", huge}, {"int", "42"}, {"list", "[1,2]"}, {"none", "null"},
        {"str", "\"ä\""}};
    const StoredCheckpoint stored = get(put({"t", "", ""}, checkpoint_of(values)));
    ASSERT_THAT(stored.checkpoint.values, SizeIs(values.size()));
    for (const auto& [name, text] : values) EXPECT_EQ(*stored.checkpoint.values.at(name), text) << name;
}

TEST_P(SaverConformance, put_preserves_channel_versions) {
    Checkpoint checkpoint = checkpoint_of();
    checkpoint.versions = {{"a", 1}, {"b", 300}, {"c", ~Version{0}}};
    EXPECT_EQ(get(put({"t", "", ""}, checkpoint)).checkpoint.versions, checkpoint.versions);
}

TEST_P(SaverConformance, put_preserves_versions_seen) {
    Checkpoint checkpoint = checkpoint_of();
    checkpoint.seen = {{"__input__", {}}, {"node", {{"ch", 1}}}};
    const StoredCheckpoint stored = get(put({"t", "", ""}, checkpoint));
    EXPECT_TRUE(stored.checkpoint.seen.contains("__input__"));
    EXPECT_TRUE(stored.checkpoint.seen.contains("node"));
}

TEST_P(SaverConformance, put_preserves_metadata) {
    CheckpointMetadata metadata = metadata_of(-1, CheckpointSource::input);
    metadata.parents = {{"", "0123"}, {"child:1", "4567"}};
    metadata.extra = {{"score", 1.5}, {"tags", {"a", nullptr}}};
    const StoredCheckpoint stored = get(put({"t", "", ""}, checkpoint_of(), metadata));
    EXPECT_EQ(stored.metadata.source, CheckpointSource::input);
    EXPECT_EQ(stored.metadata.step, -1);
    EXPECT_EQ(stored.metadata.parents, metadata.parents);
    EXPECT_EQ(stored.metadata.extra, metadata.extra);
}

TEST_P(SaverConformance, put_root_namespace) { EXPECT_EQ(get(put({"t", "", ""}, checkpoint_of())).key.space, ""); }

TEST_P(SaverConformance, put_child_namespace) { EXPECT_EQ(get(put({"t", "child:abc", ""}, checkpoint_of())).key.space, "child:abc"); }

TEST_P(SaverConformance, put_default_namespace) {
    CheckpointKey key;
    key.thread = "t";
    put(key, checkpoint_of());
    EXPECT_TRUE(find({"t", "", ""}).has_value());
}

TEST_P(SaverConformance, put_multiple_checkpoints_same_thread) {
    const auto keys = put_chain("t", 3);
    for (const CheckpointKey& key : keys) EXPECT_EQ(get(key).checkpoint.id, key.id);
}

TEST_P(SaverConformance, put_multiple_threads_isolated) {
    put({"t1", "", ""}, checkpoint_of({{"x", "1"}}));
    put({"t2", "", ""}, checkpoint_of({{"x", "2"}}));
    EXPECT_THAT(texts(get({"t1", "", ""}).checkpoint), ElementsAre("x=1"));
    EXPECT_THAT(texts(get({"t2", "", ""}).checkpoint), ElementsAre("x=2"));
}

TEST_P(SaverConformance, put_parent_config) {
    const CheckpointKey first = put({"t", "", ""}, checkpoint_of());
    const CheckpointKey second = put(first, checkpoint_of());
    EXPECT_EQ(get(second).parent, first);
}

TEST_P(SaverConformance, put_incremental_channel_update) {
    const CheckpointKey first = put({"t", "", ""}, checkpoint_of({{"a", "1"}, {"b", "2"}}));
    Checkpoint next = checkpoint_of({{"a", "3"}, {"b", "2"}});
    next.versions["a"] = 2;
    const CheckpointKey second = put(first, next, {}, {{"a"}});
    EXPECT_THAT(texts(get(second).checkpoint), ElementsAre("a=3", "b=2"));
    EXPECT_THAT(texts(get(first).checkpoint), ElementsAre("a=1", "b=2"));
}

TEST_P(SaverConformance, put_new_channel_added) {
    const CheckpointKey first = put({"t", "", ""}, checkpoint_of({{"a", "1"}}));
    const CheckpointKey second = put(first, checkpoint_of({{"a", "1"}, {"b", "2"}}), {}, {{"b"}});
    EXPECT_THAT(texts(get(second).checkpoint), ElementsAre("a=1", "b=2"));
}

TEST_P(SaverConformance, put_channel_removed) {
    const CheckpointKey first = put({"t", "", ""}, checkpoint_of({{"a", "1"}, {"b", "2"}}));
    Checkpoint next = checkpoint_of({{"a", "3"}});
    next.versions["a"] = 2;
    EXPECT_THAT(texts(get(put(first, next)).checkpoint), ElementsAre("a=3"));
}

TEST_P(SaverConformance, put_preserves_run_id) {
    EXPECT_EQ(get(put({"t", "", ""}, checkpoint_of(), metadata_of(0, CheckpointSource::loop, "run-1"))).metadata.run, "run-1");
}

TEST_P(SaverConformance, put_preserves_versions_seen_values) {
    Checkpoint checkpoint = checkpoint_of();
    checkpoint.seen = {{"node1", {{"ch_a", 1}, {"ch_b", 2}}}, {"node2", {{"ch_a", 3}}}};
    EXPECT_EQ(get(put({"t", "", ""}, checkpoint)).checkpoint.seen, checkpoint.seen);
}

TEST_P(SaverConformance, put_same_id_replaces_but_not_what_children_share) {
    Checkpoint checkpoint = checkpoint_of({{"a", "1"}, {"b", "2"}});
    const CheckpointKey first = put({"t", "", ""}, checkpoint);
    put_writes(first, "task", one_write());
    Checkpoint next = checkpoint_of({{"a", "1"}, {"b", "3"}});
    next.versions["b"] = 2;
    const CheckpointKey child = put(first, next, {}, {{"b"}});
    checkpoint.values["a"] = blob("9");
    put({"t", "", ""}, checkpoint, metadata_of(7));
    EXPECT_THAT(list("t"), SizeIs(2));
    const StoredCheckpoint replaced = get(first);
    EXPECT_EQ(replaced.metadata.step, 7);
    EXPECT_THAT(texts(replaced.checkpoint), ElementsAre("a=9", "b=2"));
    EXPECT_THAT(replaced.writes, SizeIs(1));
    EXPECT_THAT(texts(get(child).checkpoint), ElementsAre("a=1", "b=3"));
}

// Two branches from one checkpoint give different values the same version; neither may see the other's.
TEST_P(SaverConformance, put_forks_keep_their_own_values) {
    const CheckpointKey root = put({"t", "", ""}, checkpoint_of({{"a", "0"}, {"b", "0"}}));
    std::vector<CheckpointKey> forks;
    for (const char* text : {"1", "2"}) {
        Checkpoint fork = checkpoint_of({{"a", text}, {"b", "0"}});
        fork.versions["a"] = 2;
        forks.push_back(put(root, fork, metadata_of(1, CheckpointSource::fork), {{"a"}}));
    }
    EXPECT_THAT(texts(get(forks[0]).checkpoint), ElementsAre("a=1", "b=0"));
    EXPECT_THAT(texts(get(forks[1]).checkpoint), ElementsAre("a=2", "b=0"));
}

TEST_P(SaverConformance, put_with_a_parent_that_is_gone_keeps_all_values) {
    const CheckpointKey parent{"t", "", make_checkpoint_id()};
    EXPECT_THAT(texts(get(put(parent, checkpoint_of({{"a", "1"}}), {}, {{}})).checkpoint), ElementsAre("a=1"));
}

TEST_P(SaverConformance, put_writes_basic) {
    const CheckpointKey key = put({"t", "", ""}, checkpoint_of());
    put_writes(key, "task", one_write("ch", "1"));
    EXPECT_THAT(texts(get(key).writes), ElementsAre("ch=1"));
}

TEST_P(SaverConformance, put_writes_multiple_writes_same_task) {
    const CheckpointKey key = put({"t", "", ""}, checkpoint_of());
    put_writes(key, "task", {{"", "b", blob("1")}, {"", "a", blob("2")}, {"", "b", blob("3")}});
    EXPECT_THAT(texts(get(key).writes), ElementsAre("b=1", "a=2", "b=3"));
}

TEST_P(SaverConformance, put_writes_multiple_tasks) {
    const CheckpointKey key = put({"t", "", ""}, checkpoint_of());
    put_writes(key, "task-2", one_write("ch", "1"));
    put_writes(key, "task-1", one_write("ch", "2"));
    EXPECT_THAT(texts(get(key).writes), ElementsAre("ch=1", "ch=2"));
}

TEST_P(SaverConformance, put_writes_preserves_task_id) {
    const CheckpointKey key = put({"t", "", ""}, checkpoint_of());
    put_writes(key, "task", one_write());
    ASSERT_THAT(get(key).writes, SizeIs(1));
    EXPECT_EQ(get(key).writes[0].task, "task");
}

TEST_P(SaverConformance, put_writes_preserves_channel_and_value) {
    const CheckpointKey key = put({"t", "", ""}, checkpoint_of());
    const std::string text(100'000, '\0');
    put_writes(key, "task", one_write("channel", text));
    ASSERT_THAT(get(key).writes, SizeIs(1));
    EXPECT_EQ(get(key).writes[0].channel, "channel");
    EXPECT_EQ(*get(key).writes[0].value, text);
}

// LangGraph's task path has no counterpart: the order of the calls is the order of the writes. The latest can be meant, too.
TEST_P(SaverConformance, put_writes_task_path) {
    const CheckpointKey key = put({"t", "", ""}, checkpoint_of());
    put_writes({"t", "", ""}, "task", one_write());
    EXPECT_THAT(get(key).writes, SizeIs(1));
}

TEST_P(SaverConformance, put_writes_idempotent) {
    const CheckpointKey key = put({"t", "", ""}, checkpoint_of());
    put_writes(key, "task", one_write("ch", "1"));
    put_writes(key, "task", {{"", "ch", blob("2")}, {"", "other", blob("3")}});
    EXPECT_THAT(texts(get(key).writes), ElementsAre("ch=1"));
}

TEST_P(SaverConformance, put_writes_special_channels) {
    const CheckpointKey key = put({"t", "", ""}, checkpoint_of());
    put_writes(key, "task", {{"", std::string(kErrorChannel), blob("\"wrong\"")}, {"", std::string(kInterruptChannel), blob("{}")}});
    EXPECT_THAT(texts(get(key).writes), ElementsAre("__error__=\"wrong\"", "__interrupt__={}"));
    // Once the task has ended well its writes are stored, and a later answer replaces the earlier one.
    put_writes(key, "task", {{"", std::string(kInterruptChannel), blob("[]")}, {"", "ch", blob("1")}});
    EXPECT_THAT(texts(get(key).writes), ElementsAre("__error__=\"wrong\"", "__interrupt__=[]", "ch=1"));
    put_writes(key, "other", one_write(std::string(kResumeChannel), "1"));
    put_writes(key, "other", one_write(std::string(kResumeChannel), "[1,2]"));
    EXPECT_THAT(texts(get(key).writes), ElementsAre("__error__=\"wrong\"", "__interrupt__=[]", "ch=1", "__resume__=[1,2]"));
}

TEST_P(SaverConformance, put_writes_across_namespaces) {
    const CheckpointKey root = put({"t", "", ""}, checkpoint_of());
    const CheckpointKey child = put({"t", "child:1", ""}, checkpoint_of());
    put_writes(root, "task", one_write("ch", "1"));
    put_writes(child, "task", one_write("ch", "2"));
    EXPECT_THAT(texts(get(root).writes), ElementsAre("ch=1"));
    EXPECT_THAT(texts(get(child).writes), ElementsAre("ch=2"));
}

TEST_P(SaverConformance, put_writes_cleared_on_next_checkpoint) {
    const CheckpointKey first = put({"t", "", ""}, checkpoint_of());
    put_writes(first, "task", one_write());
    EXPECT_THAT(get(put(first, checkpoint_of())).writes, IsEmpty());
    EXPECT_THAT(get(first).writes, SizeIs(1));
}

TEST_P(SaverConformance, put_writes_without_checkpoint_is_not_found) {
    put({"t", "", ""}, checkpoint_of());
    for (const CheckpointKey& key : {CheckpointKey{"t", "", "0123"}, CheckpointKey{"t", "child", ""}, CheckpointKey{"other", "", ""}}) {
        const auto result = await(saver_->put_writes(key, "task", one_write()));
        ASSERT_FALSE(result.has_value());
        EXPECT_EQ(result.error().code, ErrorCode::not_found);
    }
}

}  // namespace
}  // namespace plimsoll::graph
