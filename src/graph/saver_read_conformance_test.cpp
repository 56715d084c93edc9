// get() and list(), and what LangGraph's delta-channel cases mean here: values that did not change are one object, stored
// once. See saver_conformance.h.
#include "graph/saver_conformance.h"

namespace plimsoll::graph {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

TEST_P(SaverConformance, get_tuple_nonexistent_returns_none) { EXPECT_FALSE(find({"nobody", "", ""}).has_value()); }

TEST_P(SaverConformance, get_tuple_latest_when_no_checkpoint_id) {
    const auto keys = put_chain("t", 3);
    EXPECT_EQ(get({"t", "", ""}).key, keys[2]);
}

TEST_P(SaverConformance, get_tuple_specific_checkpoint_id) {
    const auto keys = put_chain("t", 3);
    EXPECT_EQ(get(keys[1]).metadata.step, 1);
}

TEST_P(SaverConformance, get_tuple_config_structure) {
    const CheckpointKey key = put({"t", "child:1|inner:2", ""}, checkpoint_of());
    EXPECT_EQ(get({"t", "child:1|inner:2", ""}).key, key);
}

TEST_P(SaverConformance, get_tuple_checkpoint_fields) {
    Checkpoint checkpoint = checkpoint_of({{"k", "1"}});
    checkpoint.seen = {{"node", {{"k", 1}}}};
    checkpoint.updated = {"k"};
    const Checkpoint stored = get(put({"t", "", ""}, checkpoint)).checkpoint;
    EXPECT_EQ(stored.id, checkpoint.id);
    EXPECT_EQ(stored.created_at, checkpoint.created_at);
    EXPECT_EQ(texts(stored), texts(checkpoint));
    EXPECT_EQ(stored.versions, checkpoint.versions);
    EXPECT_EQ(stored.seen, checkpoint.seen);
    EXPECT_EQ(stored.updated, checkpoint.updated);
}

TEST_P(SaverConformance, get_tuple_metadata) {
    const StoredCheckpoint stored = get(put({"t", "", ""}, checkpoint_of(), metadata_of(-1, CheckpointSource::input)));
    EXPECT_EQ(stored.metadata.source, CheckpointSource::input);
    EXPECT_EQ(stored.metadata.step, -1);
}

TEST_P(SaverConformance, get_tuple_parent_config) {
    const auto keys = put_chain("t", 2);
    EXPECT_FALSE(get(keys[0]).parent.has_value());
    EXPECT_EQ(get(keys[1]).parent, keys[0]);
}

TEST_P(SaverConformance, get_tuple_pending_writes) {
    const auto keys = put_chain("t", 2);
    put_writes(keys[1], "task", one_write("ch", "1"));
    const StoredCheckpoint stored = get({"t", "", ""});
    ASSERT_THAT(stored.writes, SizeIs(1));
    EXPECT_EQ(stored.writes[0].task, "task");
    EXPECT_THAT(texts(stored.writes), ElementsAre("ch=1"));
}

TEST_P(SaverConformance, get_tuple_respects_namespace) {
    const CheckpointKey root = put({"t", "", ""}, checkpoint_of());
    const CheckpointKey child = put({"t", "child:1", ""}, checkpoint_of());
    EXPECT_EQ(get({"t", "", ""}).key, root);
    EXPECT_EQ(get({"t", "child:1", ""}).key, child);
    EXPECT_FALSE(find({"t", "", child.id}).has_value());
}

TEST_P(SaverConformance, get_tuple_nonexistent_checkpoint_id) {
    put_chain("t", 1);
    EXPECT_FALSE(find({"t", "", make_checkpoint_id()}).has_value());
    EXPECT_FALSE(find({"t", "", "no id at all"}).has_value());
}

// Four checkpoints of steps 0 to 3, sources input, loop, input, loop.
class SaverList : public SaverConformance {
  protected:
    void SetUp() override {
        SaverConformance::SetUp();
        CheckpointKey key{"t", "", ""};
        for (int step = 0; step < 4; ++step) {
            key = put(key, checkpoint_of(), metadata_of(step, step % 2 == 0 ? CheckpointSource::input : CheckpointSource::loop));
            ids_.push_back(key.id);
        }
    }
    std::vector<std::string> list_ids(ListOptions options) { return ids(list("t", std::move(options))); }
    static ListOptions filter(json::object members) {
        ListOptions options;
        options.filter = std::move(members);
        return options;
    }

    std::vector<std::string> ids_;
};

INSTANTIATE_TEST_SUITE_P(Savers, SaverList, testing::ValuesIn(kSavers), [](const auto& test) { return test.param.name; });

TEST_P(SaverList, list_all) { EXPECT_THAT(list("t"), SizeIs(4)); }

TEST_P(SaverList, list_by_thread) {
    put({"other", "", ""}, checkpoint_of());
    EXPECT_THAT(list("nobody"), IsEmpty());
    EXPECT_THAT(list("t"), SizeIs(4));
}

TEST_P(SaverList, list_by_namespace) {
    const CheckpointKey root = put({"t2", "", ""}, checkpoint_of());
    const CheckpointKey child = put({"t2", "child:1", ""}, checkpoint_of());
    EXPECT_THAT(ids(list_space("t2", "")), ElementsAre(root.id));
    EXPECT_THAT(ids(list_space("t2", "child:1")), ElementsAre(child.id));
}

TEST_P(SaverList, list_ordering) { EXPECT_THAT(list_ids({}), ElementsAre(ids_[3], ids_[2], ids_[1], ids_[0])); }

TEST_P(SaverList, list_metadata_filter_single_key) { EXPECT_THAT(list_ids(filter({{"source", "input"}})), ElementsAre(ids_[2], ids_[0])); }

TEST_P(SaverList, list_metadata_filter_step) { EXPECT_THAT(list_ids(filter({{"step", 1}})), ElementsAre(ids_[1])); }

TEST_P(SaverList, list_metadata_filter_multiple_keys) {
    EXPECT_THAT(list_ids(filter({{"source", "input"}, {"step", 2}})), ElementsAre(ids_[2]));
    EXPECT_THAT(list_ids(filter({{"source", "input"}, {"step", 3}})), IsEmpty());
}

TEST_P(SaverList, list_metadata_filter_no_match) { EXPECT_THAT(list_ids(filter({{"source", "update"}, {"step", 99}})), IsEmpty()); }

TEST_P(SaverList, list_metadata_custom_keys) {
    CheckpointMetadata metadata = metadata_of(4, CheckpointSource::loop, "run-abc");
    metadata.extra = {{"score", 42}};
    const CheckpointKey key = put({"t", "", ids_[3]}, checkpoint_of(), metadata);
    EXPECT_THAT(list_ids(filter({{"score", 42}})), ElementsAre(key.id));
    EXPECT_THAT(list_ids(filter({{"run", "run-abc"}})), ElementsAre(key.id));
    EXPECT_THAT(list_ids(filter({{"score", 99}})), IsEmpty());
}

TEST_P(SaverList, list_before) {
    ListOptions options;
    options.before = ids_[2];
    EXPECT_THAT(list_ids(options), ElementsAre(ids_[1], ids_[0]));
}

TEST_P(SaverList, list_limit) {
    ListOptions options;
    for (std::size_t limit = 0; limit < 6; ++limit) {
        options.limit = limit;
        EXPECT_THAT(list_ids(options), SizeIs(std::min<std::size_t>(limit, 4)));
    }
}

TEST_P(SaverList, list_limit_plus_before) {
    ListOptions options;
    options.before = ids_[3];
    options.limit = 1;
    EXPECT_THAT(list_ids(options), ElementsAre(ids_[2]));
}

TEST_P(SaverList, list_combined_thread_and_filter) {
    put({"other", "", ""}, checkpoint_of(), metadata_of(1));
    // The limit counts what matches.
    ListOptions options = filter({{"source", "input"}});
    options.limit = 2;
    EXPECT_THAT(list_ids(options), ElementsAre(ids_[2], ids_[0]));
}

TEST_P(SaverList, list_empty_result) { EXPECT_THAT(list("nobody", filter({{"source", "nonexistent"}})), IsEmpty()); }

TEST_P(SaverList, list_includes_pending_writes) {
    put_writes({"t", "", ids_[1]}, "task", one_write("ch", "1"));
    const auto all = list("t");
    ASSERT_THAT(all, SizeIs(4));
    EXPECT_THAT(texts(all[2].writes), ElementsAre("ch=1"));
    EXPECT_THAT(all[0].writes, IsEmpty());
}

TEST_P(SaverList, list_multiple_namespaces) {
    std::vector<std::string> made;
    for (const char* space : {"", "child:1", "child:2"}) made.push_back(put({"t2", space, ""}, checkpoint_of()).id);
    EXPECT_THAT(list_space("t2", ""), SizeIs(1));
    EXPECT_THAT(ids(list("t2")), ElementsAre(made[2], made[1], made[0]));
}

// A chain in which channel "a" changes at steps 0 and 3 only, and "log" at each.
class SaverSharing : public SaverConformance {
  protected:
    void SetUp() override {
        SaverConformance::SetUp();
        CheckpointKey key{"t", "", ""};
        std::string log = "x";
        for (Version step = 0; step < 5; ++step) {
            Checkpoint checkpoint = checkpoint_of({{"a", step < 3 ? "\"old\"" : "\"new\""}, {"log", log += std::to_string(step)}});
            checkpoint.versions = {{"a", step < 3 ? 1 : 4}, {"log", step + 1}};
            key = put(key, checkpoint, metadata_of(static_cast<std::int64_t>(step)),
                      step % 3 == 0 ? std::vector<std::string>{"a", "log"} : std::vector<std::string>{"log"});
            keys_.push_back(key);
        }
    }
    std::vector<CheckpointKey> keys_;
};

INSTANTIATE_TEST_SUITE_P(Savers, SaverSharing, testing::ValuesIn(kSavers), [](const auto& test) { return test.param.name; });

TEST_P(SaverSharing, history_reconstructs_every_step) {
    EXPECT_THAT(texts(get(keys_[0]).checkpoint), ElementsAre("a=\"old\"", "log=x0"));
    EXPECT_THAT(texts(get(keys_[2]).checkpoint), ElementsAre("a=\"old\"", "log=x012"));
    EXPECT_THAT(texts(get(keys_[3]).checkpoint), ElementsAre("a=\"new\"", "log=x0123"));
    EXPECT_THAT(texts(get(keys_[4]).checkpoint), ElementsAre("a=\"new\"", "log=x01234"));
}

TEST_P(SaverSharing, history_shares_the_nearest_value) {
    const auto all = list("t");
    ASSERT_THAT(all, SizeIs(5));
    EXPECT_EQ(all[0].checkpoint.values.at("a"), all[1].checkpoint.values.at("a"));
    EXPECT_EQ(all[2].checkpoint.values.at("a"), all[4].checkpoint.values.at("a"));
    EXPECT_NE(all[1].checkpoint.values.at("a"), all[2].checkpoint.values.at("a"));
}

TEST_P(SaverSharing, history_survives_the_loss_of_the_checkpoint_that_stored_it) {
    ASSERT_TRUE(await(saver_->prune({"t"}, Keep::latest)).has_value());
    EXPECT_THAT(texts(get({"t", "", ""}).checkpoint), ElementsAre("a=\"new\"", "log=x01234"));
}

TEST_P(SaverSharing, history_of_channels_is_independent_of_pending_writes) {
    put_writes(keys_[4], "task", one_write("a", "\"pending\""));
    EXPECT_EQ(*get(keys_[4]).checkpoint.values.at("a"), "\"new\"");
}

}  // namespace
}  // namespace plimsoll::graph
