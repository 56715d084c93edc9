// What every checkpoint saver has to do. The cases are in saver_*_conformance_test.cpp, in the order and by the names of
// LangGraph's checkpoint conformance suite; each runs against every saver of kSavers.
//
// The fixture's functions block: they run a saver's awaitable on a loop of their own and fail the test on an error.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/files.h"
#include "graph/checkpoint.h"
#include "graph/memory_saver.h"
#include "graph/sqlite_saver.h"
#include "graph/test_loop.h"

namespace plimsoll::graph {

struct SaverKind {
    const char* name;
    std::shared_ptr<CheckpointSaver> (*make)(const std::filesystem::path& folder);
};

inline void PrintTo(const SaverKind& kind, std::ostream* out) { *out << kind.name; }

inline const SaverKind kSavers[] = {
    {"memory", [](const std::filesystem::path&) -> std::shared_ptr<CheckpointSaver> { return std::make_shared<MemorySaver>(); }},
    {"sqlite",
     [](const std::filesystem::path& folder) -> std::shared_ptr<CheckpointSaver> {
         auto saver = SqliteSaver::open(folder / "state.db");
         EXPECT_TRUE(saver.has_value());
         return saver ? *saver : nullptr;
     }},
};

inline Blob blob(std::string text) { return std::make_shared<const std::string>(std::move(text)); }

// A checkpoint with a new id; every value has version 1.
inline Checkpoint checkpoint_of(const std::map<std::string, std::string>& values = {}) {
    Checkpoint checkpoint;
    checkpoint.id = make_checkpoint_id();
    checkpoint.created_at = "2026-11-22T22:55:31.111717+00:00";
    for (const auto& [name, text] : values) {
        checkpoint.values.emplace(name, blob(text));
        checkpoint.versions.emplace(name, 1);
    }
    return checkpoint;
}

inline CheckpointMetadata metadata_of(std::int64_t step, CheckpointSource source = CheckpointSource::loop, std::string run = "") {
    CheckpointMetadata metadata;
    metadata.source = source;
    metadata.step = step;
    metadata.run = std::move(run);
    return metadata;
}

inline std::vector<PendingWrite> one_write(std::string channel = "ch", std::string text = "\"val\"") {
    std::vector<PendingWrite> writes;
    writes.push_back({"", std::move(channel), blob(std::move(text))});
    return writes;
}

// "channel=text" of each value or write.
inline std::vector<std::string> texts(const Checkpoint& checkpoint) {
    std::vector<std::string> result;
    for (const auto& [name, value] : checkpoint.values) result.push_back(name + "=" + *value);
    return result;
}
inline std::vector<std::string> texts(const std::vector<PendingWrite>& writes) {
    std::vector<std::string> result;
    for (const PendingWrite& write : writes) result.push_back(write.channel + "=" + *write.value);
    return result;
}

inline std::vector<std::string> ids(const std::vector<StoredCheckpoint>& list) {
    std::vector<std::string> result;
    for (const StoredCheckpoint& stored : list) result.push_back(stored.checkpoint.id);
    return result;
}

class SaverConformance : public testing::TestWithParam<SaverKind> {
  protected:
    void SetUp() override {
        saver_ = GetParam().make(folder_.path());
        ASSERT_NE(saver_, nullptr);
    }

    template <class T>
    Result<T> await(asio::awaitable<Result<T>> call) {
        return run_on_loop(std::move(call));
    }

    // Stores a child of `parent` whose channels all changed, or those of `changed` only; returns its key.
    CheckpointKey put(const CheckpointKey& parent, const Checkpoint& checkpoint, const CheckpointMetadata& metadata = {},
                      std::optional<std::vector<std::string>> changed = std::nullopt) {
        if (!changed) {
            changed.emplace();
            for (const auto& [name, value] : checkpoint.values) changed->push_back(name);
        }
        EXPECT_TRUE(await(saver_->put(parent, checkpoint, metadata, *changed)).has_value());
        return {parent.thread, parent.space, checkpoint.id};
    }

    // `count` checkpoints, each the child of the one before, of steps 0, 1, 2 …
    std::vector<CheckpointKey> put_chain(const std::string& thread, int count, const std::string& space = "") {
        std::vector<CheckpointKey> keys;
        CheckpointKey key{thread, space, ""};
        for (int step = 0; step < count; ++step) keys.push_back(key = put(key, checkpoint_of(), metadata_of(step)));
        return keys;
    }

    void put_writes(const CheckpointKey& key, const std::string& task, std::vector<PendingWrite> writes) {
        EXPECT_TRUE(await(saver_->put_writes(key, task, std::move(writes))).has_value());
    }

    std::optional<StoredCheckpoint> find(const CheckpointKey& key) {
        auto stored = await(saver_->get(key));
        EXPECT_TRUE(stored.has_value());
        return stored ? std::move(*stored) : std::nullopt;
    }
    // Of a checkpoint that has to be there.
    StoredCheckpoint get(const CheckpointKey& key) {
        auto stored = find(key);
        EXPECT_TRUE(stored.has_value()) << key.thread << ' ' << key.space << ' ' << key.id;
        return stored ? std::move(*stored) : StoredCheckpoint{};
    }

    std::vector<StoredCheckpoint> list(const std::string& thread, ListOptions options = {}) {
        auto stored = await(saver_->list(thread, std::move(options)));
        EXPECT_TRUE(stored.has_value());
        return stored ? std::move(*stored) : std::vector<StoredCheckpoint>{};
    }
    std::vector<StoredCheckpoint> list_space(const std::string& thread, const std::string& space) {
        ListOptions options;
        options.space = space;
        return list(thread, std::move(options));
    }

    TemporaryFolder folder_;
    std::shared_ptr<CheckpointSaver> saver_;
};

}  // namespace plimsoll::graph
