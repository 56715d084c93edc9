// Checkpoint ids and the packed form. Savers: saver_conformance.h.
#include "graph/checkpoint.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "graph/checkpoint_codec.h"
#include "graph/saver_conformance.h"

namespace plimsoll::graph {
namespace {

TEST(CheckpointId, later_ones_sort_higher_in_every_thread) {
    std::vector<std::string> made[2];
    {
        std::vector<std::jthread> threads;
        for (auto& list : made)
            threads.emplace_back([&list] {
                for (int i = 0; i < 10'000; ++i) list.push_back(make_checkpoint_id());
            });
    }
    std::set<std::string> ticks;
    for (const auto& list : made) {
        EXPECT_TRUE(std::ranges::is_sorted(list));
        for (const std::string& id : list) ticks.insert(id.substr(0, 16));
    }
    EXPECT_EQ(ticks.size(), 20'000u);
}

TEST(CheckpointId, is_higher_than_the_parents_even_when_the_clock_was_set_back) {
    const std::string parent = "7000000000000000" + std::string(16, 'f');
    const std::string id = make_checkpoint_id(parent);
    EXPECT_GT(id, parent);
    EXPECT_EQ(id.size(), 32u);
    EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
    EXPECT_EQ(make_checkpoint_id("no id").size(), 32u);
}

Checkpoint rich_checkpoint() {
    Checkpoint checkpoint = checkpoint_of({{"a", "1"}, {"b", "2"}});
    checkpoint.seen = {{"node", {{"branch:to:node", 3}}}};
    checkpoint.updated = {"a"};
    return checkpoint;
}

TEST(CheckpointCodec, every_cut_and_every_flipped_bit_is_an_error_or_a_checkpoint) {
    CheckpointMetadata metadata = metadata_of(-7, CheckpointSource::fork, "run");
    metadata.parents = {{"", "parent"}};
    metadata.extra = {{"k", {1, 2}}};
    const std::string packed = pack_checkpoint("parent", rich_checkpoint(), metadata);
    const auto whole = unpack_checkpoint({"t", "", "id"}, packed);
    ASSERT_TRUE(whole.has_value());
    EXPECT_EQ(whole->metadata.step, -7);
    for (std::size_t size = 0; size < packed.size(); ++size) {
        const auto cut = unpack_checkpoint({"t", "", "id"}, std::string_view(packed).substr(0, size));
        ASSERT_FALSE(cut.has_value());
        EXPECT_EQ(cut.error().code, ErrorCode::parse);
    }
    int refused = 0;
    for (std::size_t bit = 0; bit < packed.size() * 8; ++bit) {
        std::string flipped = packed;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
        refused += unpack_checkpoint({"t", "", "id"}, flipped).has_value() ? 0 : 1;
    }
    EXPECT_GT(refused, 0);
    EXPECT_EQ(unpack_checkpoint({"t", "", "id"}, packed + "x").error().code, ErrorCode::parse);
}

TEST(CheckpointCodec, a_newer_format_is_unsupported) {
    std::string packed = pack_checkpoint("", rich_checkpoint(), {});
    packed[0] = 2;
    EXPECT_EQ(unpack_checkpoint({}, packed).error().code, ErrorCode::unsupported);
}

TEST(CheckpointCodec, counts_beyond_the_bytes_are_refused_at_once) {
    // A list of 2^63 strings in ten bytes.
    EXPECT_EQ(unpack_strings("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01").error().code, ErrorCode::parse);
    EXPECT_EQ(unpack_strings(std::string(11, '\xff')).error().code, ErrorCode::parse);
    const std::vector<std::string> strings{"", "a", std::string(300, 'x')};
    EXPECT_EQ(*unpack_strings(pack_strings(strings)), strings);
}

TEST(MemorySaver, keeps_only_the_latest_checkpoints_when_told) {
    MemorySaver saver(2);
    std::string parent;
    std::vector<std::string> made;
    for (int step = 0; step < 5; ++step) {
        const Checkpoint checkpoint = checkpoint_of({{"a", std::to_string(step)}});
        made.push_back(checkpoint.id);
        ASSERT_TRUE(run_on_loop(saver.put({"t", "", parent}, checkpoint, metadata_of(step), {"a"})).has_value());
        parent = checkpoint.id;
    }
    const auto kept = run_on_loop(saver.list("t", {}));
    ASSERT_TRUE(kept.has_value());
    EXPECT_EQ(ids(*kept), (std::vector<std::string>{made[4], made[3]}));
}

}  // namespace
}  // namespace plimsoll::graph
