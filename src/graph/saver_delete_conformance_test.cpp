// delete_thread(), copy_thread(), prune() and delete_runs(). See saver_conformance.h.
#include "graph/saver_conformance.h"

namespace plimsoll::graph {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class SaverDelete : public SaverConformance {
  protected:
    void delete_thread(const std::string& thread) { EXPECT_TRUE(await(saver_->delete_thread(thread)).has_value()); }
    void copy_thread(const std::string& from, const std::string& to) { EXPECT_TRUE(await(saver_->copy_thread(from, to)).has_value()); }
    void prune(std::vector<std::string> threads, Keep keep = Keep::latest) {
        EXPECT_TRUE(await(saver_->prune(std::move(threads), keep)).has_value());
    }
    void delete_runs(std::vector<std::string> runs) { EXPECT_TRUE(await(saver_->delete_runs(std::move(runs))).has_value()); }
    CheckpointKey put_run(const CheckpointKey& parent, const std::string& run) {
        return put(parent, checkpoint_of({{"ch", "\"" + run + "\""}}), metadata_of(0, CheckpointSource::loop, run));
    }
    std::vector<std::string> runs(const std::string& thread) {
        std::vector<std::string> result;
        for (const StoredCheckpoint& stored : list(thread)) result.push_back(stored.metadata.run);
        return result;
    }
};

INSTANTIATE_TEST_SUITE_P(Savers, SaverDelete, testing::ValuesIn(kSavers), [](const auto& test) { return test.param.name; });

TEST_P(SaverDelete, delete_thread_removes_checkpoints) {
    const auto keys = put_chain("t", 3);
    delete_thread("t");
    for (const CheckpointKey& key : keys) EXPECT_FALSE(find(key).has_value());
    EXPECT_THAT(list("t"), IsEmpty());
}

TEST_P(SaverDelete, delete_thread_removes_writes) {
    const Checkpoint checkpoint = checkpoint_of();
    const CheckpointKey key = put({"t", "", ""}, checkpoint);
    put_writes(key, "task", one_write());
    delete_thread("t");
    put({"t", "", ""}, checkpoint);
    EXPECT_THAT(get(key).writes, IsEmpty());
}

TEST_P(SaverDelete, delete_thread_removes_all_namespaces) {
    put_chain("t", 1);
    put_chain("t", 1, "child:1");
    delete_thread("t");
    EXPECT_FALSE(find({"t", "", ""}).has_value());
    EXPECT_FALSE(find({"t", "child:1", ""}).has_value());
}

TEST_P(SaverDelete, delete_thread_preserves_other_threads) {
    put_chain("t", 1);
    put_chain("t2", 1);
    delete_thread("t");
    EXPECT_TRUE(find({"t2", "", ""}).has_value());
}

TEST_P(SaverDelete, delete_thread_nonexistent_noop) { delete_thread("nobody"); }

TEST_P(SaverDelete, copy_thread_basic) {
    put({"a", "", ""}, checkpoint_of({{"k", "1"}}));
    copy_thread("a", "b");
    EXPECT_THAT(texts(get({"b", "", ""}).checkpoint), ElementsAre("k=1"));
}

TEST_P(SaverDelete, copy_thread_all_checkpoints) {
    const auto keys = put_chain("a", 3);
    copy_thread("a", "b");
    EXPECT_THAT(ids(list("b")), ElementsAre(keys[2].id, keys[1].id, keys[0].id));
    EXPECT_EQ(get({"b", "", ""}).parent, (CheckpointKey{"b", "", keys[1].id}));
}

TEST_P(SaverDelete, copy_thread_preserves_metadata) {
    CheckpointMetadata metadata = metadata_of(5, CheckpointSource::update, "run-1");
    metadata.extra = {{"score", 42}};
    put({"a", "", ""}, checkpoint_of(), metadata);
    copy_thread("a", "b");
    const StoredCheckpoint copy = get({"b", "", ""});
    EXPECT_EQ(copy.metadata.source, CheckpointSource::update);
    EXPECT_EQ(copy.metadata.step, 5);
    EXPECT_EQ(copy.metadata.run, "run-1");
    EXPECT_EQ(copy.metadata.extra, metadata.extra);
}

TEST_P(SaverDelete, copy_thread_preserves_namespaces) {
    put_chain("a", 2);
    put_chain("a", 1, "child:1");
    copy_thread("a", "b");
    EXPECT_THAT(list_space("b", ""), SizeIs(2));
    EXPECT_THAT(list_space("b", "child:1"), SizeIs(1));
}

TEST_P(SaverDelete, copy_thread_preserves_writes) {
    const auto keys = put_chain("a", 2);
    put_writes(keys[1], "task", one_write("ch", "1"));
    copy_thread("a", "b");
    EXPECT_THAT(texts(get({"b", "", ""}).writes), ElementsAre("ch=1"));
}

TEST_P(SaverDelete, copy_thread_preserves_ordering) {
    put_chain("a", 5);
    copy_thread("a", "b");
    EXPECT_EQ(ids(list("a")), ids(list("b")));
}

TEST_P(SaverDelete, copy_thread_source_unchanged) {
    const auto keys = put_chain("a", 2);
    const auto before = ids(list("a"));
    copy_thread("a", "b");
    put({"b", "", keys[1].id}, checkpoint_of({{"k", "1"}}));
    delete_thread("b");
    EXPECT_EQ(ids(list("a")), before);
}

TEST_P(SaverDelete, copy_thread_nonexistent_source) {
    copy_thread("nobody", "b");
    EXPECT_THAT(list("b"), IsEmpty());
}

TEST_P(SaverDelete, copy_thread_onto_a_used_one_is_refused) {
    put_chain("a", 2);
    put_chain("b", 1);
    for (const char* to : {"b", "a"}) {
        const auto result = await(saver_->copy_thread("a", to));
        ASSERT_FALSE(result.has_value());
        EXPECT_EQ(result.error().code, ErrorCode::in_use);
    }
    EXPECT_THAT(list("b"), SizeIs(1));
}

TEST_P(SaverDelete, prune_keep_latest_single_thread) {
    const auto keys = put_chain("t", 3);
    prune({"t"});
    EXPECT_THAT(ids(list("t")), ElementsAre(keys[2].id));
}

TEST_P(SaverDelete, prune_keep_latest_multiple_threads) {
    const auto first = put_chain("t1", 3);
    const auto second = put_chain("t2", 2);
    prune({"t1", "t2"});
    EXPECT_THAT(ids(list("t1")), ElementsAre(first[2].id));
    EXPECT_THAT(ids(list("t2")), ElementsAre(second[1].id));
}

TEST_P(SaverDelete, prune_keep_latest_across_namespaces) {
    const auto root = put_chain("t", 3);
    const auto child = put_chain("t", 2, "child:1");
    prune({"t"});
    EXPECT_THAT(ids(list_space("t", "")), ElementsAre(root[2].id));
    EXPECT_THAT(ids(list_space("t", "child:1")), ElementsAre(child[1].id));
}

TEST_P(SaverDelete, prune_keep_latest_preserves_writes) {
    const auto keys = put_chain("t", 3);
    put_writes(keys[1], "task", one_write("ch", "0"));
    put_writes(keys[2], "task", one_write("ch", "1"));
    prune({"t"});
    EXPECT_THAT(texts(get({"t", "", ""}).writes), ElementsAre("ch=1"));
}

TEST_P(SaverDelete, prune_delete_all) {
    put_chain("t", 3);
    prune({"t"}, Keep::none);
    EXPECT_THAT(list("t"), IsEmpty());
}

TEST_P(SaverDelete, prune_preserves_other_threads) {
    put_chain("t1", 3);
    put_chain("t2", 2);
    prune({"t1"});
    EXPECT_THAT(list("t2"), SizeIs(2));
}

TEST_P(SaverDelete, prune_empty_list_noop) { prune({}); }

TEST_P(SaverDelete, prune_nonexistent_noop) {
    prune({"nobody"});
    prune({"nobody"}, Keep::none);
    EXPECT_THAT(list("nobody"), IsEmpty());
}

TEST_P(SaverDelete, delete_for_runs_single) {
    put_run(put_run({"t", "", ""}, "run-1"), "run-2");
    delete_runs({"run-1"});
    EXPECT_THAT(runs("t"), ElementsAre("run-2"));
}

TEST_P(SaverDelete, delete_for_runs_multiple) {
    put_run(put_run(put_run({"t", "", ""}, "run-1"), "run-2"), "run-3");
    delete_runs({"run-1", "run-2"});
    EXPECT_THAT(runs("t"), ElementsAre("run-3"));
    EXPECT_THAT(texts(get({"t", "", ""}).checkpoint), ElementsAre("ch=\"run-3\""));
}

TEST_P(SaverDelete, delete_for_runs_preserves_other_runs) {
    put_run({"t", "", ""}, "keep");
    put_run({"t", "", ""}, "go");
    put({"t", "", ""}, checkpoint_of());
    delete_runs({"go", ""});
    EXPECT_THAT(runs("t"), ElementsAre("", "keep"));
}

TEST_P(SaverDelete, delete_for_runs_keeps_values_that_another_run_shares) {
    const CheckpointKey first = put_run({"t", "", ""}, "run-1");
    const CheckpointKey second = put(first, checkpoint_of({{"ch", "\"run-1\""}}), metadata_of(1, CheckpointSource::loop, "run-2"), {{}});
    delete_runs({"run-1"});
    EXPECT_THAT(texts(get(second).checkpoint), ElementsAre("ch=\"run-1\""));
}

TEST_P(SaverDelete, delete_for_runs_removes_writes) {
    const CheckpointKey key = put_run({"t", "", ""}, "run-1");
    put_writes(key, "task", one_write());
    delete_runs({"run-1"});
    EXPECT_FALSE(find(key).has_value());
}

TEST_P(SaverDelete, delete_for_runs_empty_list_noop) {
    put_chain("t", 1);
    delete_runs({});
    EXPECT_THAT(list("t"), SizeIs(1));
}

TEST_P(SaverDelete, delete_for_runs_nonexistent_noop) {
    put_run({"t", "", ""}, "run-1");
    delete_runs({"nobody"});
    EXPECT_THAT(list("t"), SizeIs(1));
}

TEST_P(SaverDelete, delete_for_runs_across_namespaces) {
    put_run({"t", "", ""}, "run-1");
    put_run({"t", "child:1", ""}, "run-1");
    put_run({"t2", "", ""}, "run-1");
    delete_runs({"run-1"});
    EXPECT_THAT(list("t"), IsEmpty());
    EXPECT_THAT(list("t2"), IsEmpty());
}

}  // namespace
}  // namespace plimsoll::graph
