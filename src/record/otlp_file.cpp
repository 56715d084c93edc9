#include "record/otlp_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/decompress.h"
#include "record/otlp_wire.h"

namespace plimsoll::record {
namespace {

void append(ReadSpans& all, ReadSpans more, std::string_view place) {
    std::ranges::move(more.spans, std::back_inserter(all.spans));
    std::ranges::move(more.texts, std::back_inserter(all.texts));
    all.skipped.add(more.skipped, place);
}

template <class Read>
ReadSpans collect(Read read, std::string_view bytes, const LookedAt& looked_at) {
    ReadSpans out;
    const auto take = [&](const ReadSpan& span, const SpanPlace& place) {
        out.spans.push_back(make_span_row(span, place));
        looked_at(place.bytes.size());
    };
    read(bytes, take, out.skipped);
    return out;
}

ReadSpans read_request(std::string_view bytes, const LookedAt& looked_at) { return collect(read_otlp_protobuf, bytes, looked_at); }

// Requests one after another, each with its length in front as protobuf's delimited streams have it.
ReadSpans read_delimited(std::string_view bytes, const LookedAt& looked_at) {
    ReadSpans all;
    const std::size_t size = bytes.size();
    while (!bytes.empty()) {
        const std::string place = fmt::format("message at byte {}: ", size - bytes.size());
        std::uint64_t length = 0;
        if (!WireReader::read_varint(bytes, length)) {
            all.skipped.add("protobuf ends early or is damaged", place);
            break;
        }
        append(all, read_request(bytes.substr(0, length), looked_at), place);
        if (length > bytes.size()) all.skipped.add("the file ends early", place);
        bytes.remove_prefix(std::min<std::size_t>(length, bytes.size()));
    }
    return all;
}

// Requests as the collector's file exporter writes them: a length of four bytes, then protobuf or JSON, itself compressed or not.
ReadSpans read_framed(std::string_view bytes, std::uint64_t max_bytes, const LookedAt& looked_at) {
    constexpr std::size_t kLengthBytes = 4;
    ReadSpans all;
    const std::size_t size = bytes.size();
    while (bytes.size() > kLengthBytes) {
        const std::string place = fmt::format("message at byte {}: ", size - bytes.size());
        std::size_t length = 0;
        for (std::size_t i = 0; i < kLengthBytes; ++i) length = length << 8 | static_cast<unsigned char>(bytes[i]);
        bytes.remove_prefix(kLengthBytes);
        if (length > bytes.size()) all.skipped.add("the file ends early", place);
        std::string_view message = bytes.substr(0, length);
        bytes.remove_prefix(message.size());
        if (const Compression compression = detect_compression(message); compression != Compression::none) {
            auto expanded = decompress(message, compression, max_bytes);
            if (!expanded) {
                all.skipped.add(expanded.error().message, place);
                continue;
            }
            message = *all.texts.emplace_back(std::make_unique<std::string>(std::move(expanded->text)));
            max_bytes -= message.size();
        }
        append(all, (message.starts_with('{') ? read_json_spans : read_request)(message, looked_at), place);
    }
    return all;
}

bool is_better(const ReadSpans& a, const ReadSpans& b) {
    if (a.spans.size() != b.spans.size()) return a.spans.size() > b.spans.size();
    return a.skipped.count() < b.skipped.count();
}

}  // namespace

ReadSpans read_json_spans(std::string_view text, const LookedAt& looked_at) { return collect(read_otlp_json, text, looked_at); }

ReadSpans read_protobuf_spans(std::string_view bytes, std::uint64_t max_bytes, const LookedAt& looked_at) {
    ReadSpans best = read_request(bytes, looked_at);
    if (best.skipped.empty() && !best.spans.empty()) return best;
    ReadSpans delimited = read_delimited(bytes, looked_at);
    if (is_better(delimited, best)) best = std::move(delimited);
    ReadSpans framed = bytes.starts_with('\0') ? read_framed(bytes, max_bytes, looked_at) : ReadSpans{};
    if (is_better(framed, best)) best = std::move(framed);
    return best;
}

}  // namespace plimsoll::record
