#include "graph/checkpoint_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace plimsoll::graph {
namespace {

constexpr std::uint64_t kFormat = 1;
constexpr std::size_t kUsualBytes = 512;

// Numbers as base-128 varints, lowest bits first; text after its length.
class ByteWriter {
  public:
    ByteWriter() { bytes_.reserve(kUsualBytes); }

    void number(std::uint64_t value) {
        while (value >= 0x80) {
            bytes_ += static_cast<char>((value & 0x7F) | 0x80);
            value >>= 7;
        }
        bytes_ += static_cast<char>(value);
    }
    // Small numbers of either sign stay small: 0, -1, 1, -2 become 0, 1, 2, 3.
    void signed_number(std::int64_t value) {
        const auto bits = static_cast<std::uint64_t>(value);
        number(value < 0 ? ~(bits << 1) : bits << 1);
    }
    void text(std::string_view value) {
        number(value.size());
        bytes_ += value;
    }
    void versions(const ByName<Version>& versions) {
        number(versions.size());
        for (const auto& [name, version] : versions) {
            text(name);
            number(version);
        }
    }

    std::string take() { return std::move(bytes_); }

  private:
    std::string bytes_;
};

// After the first fault every read gives nothing; ask failed() at the end.
class ByteReader {
  public:
    explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

    std::uint64_t number() {
        std::uint64_t value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            if (bytes_.empty()) break;
            const auto byte = static_cast<unsigned char>(bytes_.front());
            bytes_.remove_prefix(1);
            value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
            if (byte < 0x80) return value;
        }
        return fault();
    }
    std::int64_t signed_number() {
        const std::uint64_t bits = number();
        return static_cast<std::int64_t>((bits & 1) != 0 ? ~(bits >> 1) : bits >> 1);
    }
    // How many items follow; each takes at least a byte, so that a wrong count cannot make the loop over them long.
    std::uint64_t count() {
        const std::uint64_t items = number();
        return items <= bytes_.size() ? items : fault();
    }
    std::string text() {
        const std::uint64_t size = count();
        std::string value(bytes_.substr(0, size));
        bytes_.remove_prefix(size);
        return value;
    }
    ByName<Version> versions() {
        ByName<Version> result;
        for (std::uint64_t left = count(); left > 0; --left) {
            std::string name = text();
            result.insert_or_assign(result.end(), std::move(name), number());
        }
        return result;
    }
    std::vector<std::string> texts() {
        std::vector<std::string> result;
        for (std::uint64_t left = count(); left > 0; --left) result.push_back(text());
        return result;
    }

    bool failed() const { return failed_ || !bytes_.empty(); }

  private:
    std::uint64_t fault() {
        failed_ = true;
        bytes_ = {};
        return 0;
    }

    std::string_view bytes_;
    bool failed_ = false;
};

std::unexpected<Error> damaged(const CheckpointKey& key) {
    return fail(ErrorCode::parse, fmt::format("the checkpoint {} of thread {} is damaged", key.id, key.thread));
}

}  // namespace

std::string pack_checkpoint(std::string_view parent_id, const Checkpoint& checkpoint, const CheckpointMetadata& metadata) {
    ByteWriter out;
    out.number(kFormat);
    out.text(parent_id);
    out.text(checkpoint.created_at);
    out.number(checkpoint.values.size());
    for (const auto& [name, value] : checkpoint.values) out.text(name);
    out.versions(checkpoint.versions);
    out.number(checkpoint.seen.size());
    for (const auto& [node, versions] : checkpoint.seen) {
        out.text(node);
        out.versions(versions);
    }
    out.number(checkpoint.updated.size());
    for (const std::string& name : checkpoint.updated) out.text(name);
    out.number(static_cast<std::uint64_t>(metadata.source));
    out.signed_number(metadata.step);
    out.number(metadata.parents.size());
    for (const auto& [space, id] : metadata.parents) {
        out.text(space);
        out.text(id);
    }
    out.text(metadata.run);
    out.text(metadata.extra.empty() ? std::string() : json::serialize(metadata.extra));
    return out.take();
}

Result<StoredCheckpoint> unpack_checkpoint(CheckpointKey key, std::string_view bytes) {
    ByteReader in(bytes);
    if (const std::uint64_t format = in.number(); format > kFormat)
        return fail(ErrorCode::unsupported,
                    fmt::format("the checkpoint {} of thread {} was written by a newer version", key.id, key.thread));
    StoredCheckpoint stored;
    if (std::string parent = in.text(); !parent.empty()) stored.parent = CheckpointKey{key.thread, key.space, std::move(parent)};
    Checkpoint& checkpoint = stored.checkpoint;
    checkpoint.id = key.id;
    checkpoint.created_at = in.text();
    for (std::string& name : in.texts()) checkpoint.values.emplace_hint(checkpoint.values.end(), std::move(name), nullptr);
    checkpoint.versions = in.versions();
    for (std::uint64_t left = in.count(); left > 0; --left) {
        std::string node = in.text();
        checkpoint.seen.insert_or_assign(checkpoint.seen.end(), std::move(node), in.versions());
    }
    checkpoint.updated = in.texts();
    const std::uint64_t source = in.number();
    stored.metadata.source = static_cast<CheckpointSource>(source);
    stored.metadata.step = in.signed_number();
    for (std::uint64_t left = in.count(); left > 0; --left) {
        std::string space = in.text();
        stored.metadata.parents.insert_or_assign(std::move(space), in.text());
    }
    stored.metadata.run = in.text();
    const std::string extra = in.text();
    if (in.failed() || source > static_cast<std::uint64_t>(CheckpointSource::fork)) return damaged(key);
    if (!extra.empty()) {
        auto value = parse_json(extra);
        if (!value || !value->is_object()) return damaged(key);
        stored.metadata.extra = std::move(value->get_object());
    }
    stored.key = std::move(key);
    return stored;
}

std::string pack_strings(std::span<const std::string> strings) {
    ByteWriter out;
    out.number(strings.size());
    for (const std::string& text : strings) out.text(text);
    return out.take();
}

Result<std::vector<std::string>> unpack_strings(std::string_view bytes) {
    ByteReader in(bytes);
    std::vector<std::string> strings = in.texts();
    if (in.failed()) return fail(ErrorCode::parse, "a list of names is damaged");
    return strings;
}

bool matches(const CheckpointMetadata& metadata, const json::object& filter) {
    return std::ranges::all_of(filter, [&](const auto& wanted) {
        const json::value& value = wanted.value();
        if (wanted.key() == "source") return value == json::value(json::string_view(to_string(metadata.source)));
        if (wanted.key() == "step") return value == json::value(metadata.step);
        if (wanted.key() == "run") return value == json::value(metadata.run);
        const json::value* found = metadata.extra.if_contains(wanted.key());
        return found != nullptr && *found == value;
    });
}

bool is_unchanged(const std::string& channel, const Checkpoint& checkpoint, const Checkpoint* parent,
                  const std::vector<std::string>& changed) {
    if (parent == nullptr || !parent->values.contains(channel) || std::ranges::find(changed, channel) != changed.end()) return false;
    const auto version = checkpoint.versions.find(channel);
    const auto before = parent->versions.find(channel);
    return version != checkpoint.versions.end() && before != parent->versions.end() && version->second == before->second;
}

bool replaces_earlier(std::string_view channel) {
    return channel == kErrorChannel || channel == kInterruptChannel || channel == kResumeChannel;
}

}  // namespace plimsoll::graph
