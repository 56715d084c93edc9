// For tests: OTLP's protobuf read back. Only tests include it.
#pragma once

#include <fmt/format.h>

#include <map>
#include <protozero/pbf_reader.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace plimsoll::record {

using DecodedAttributes = std::map<std::string, std::string>;

struct DecodedSpan {
    std::string trace_id, span_id, parent_id;  // hex
    std::string name;
    std::uint64_t start = 0, end = 0;  // nanoseconds
    int status = 0;
    std::string status_message;
    DecodedAttributes attributes;
};

struct DecodedRequest {
    DecodedAttributes resource;
    std::string scope;
    std::vector<DecodedSpan> spans;
};

inline std::string to_hex(std::string_view bytes) {
    std::string out;
    for (const unsigned char byte : bytes) out += fmt::format("{:02x}", byte);
    return out;
}

inline void decode_attribute(protozero::pbf_reader pair, DecodedAttributes& out) {
    std::string key, value;
    while (pair.next()) {
        if (pair.tag() == 1) {
            key = pair.get_string();
            continue;
        }
        auto any = pair.get_message();
        while (any.next()) {
            switch (any.tag()) {
                case 1: value = any.get_string(); break;
                case 3: value = fmt::format("{}", any.get_int64()); break;
                case 4: value = fmt::format("{}", any.get_double()); break;
                default: any.skip();
            }
        }
    }
    out[key] = value;
}

inline DecodedSpan decode_span(std::string_view bytes) {
    DecodedSpan span;
    protozero::pbf_reader reader(bytes.data(), bytes.size());
    while (reader.next()) {
        switch (reader.tag()) {
            case 1: span.trace_id = to_hex(reader.get_string()); break;
            case 2: span.span_id = to_hex(reader.get_string()); break;
            case 4: span.parent_id = to_hex(reader.get_string()); break;
            case 5: span.name = reader.get_string(); break;
            case 7: span.start = reader.get_fixed64(); break;
            case 8: span.end = reader.get_fixed64(); break;
            case 9: decode_attribute(reader.get_message(), span.attributes); break;
            case 15: {
                auto status = reader.get_message();
                while (status.next()) {
                    if (status.tag() == 2)
                        span.status_message = status.get_string();
                    else if (status.tag() == 3)
                        span.status = status.get_enum();
                    else
                        status.skip();
                }
                break;
            }
            default: reader.skip();
        }
    }
    return span;
}

inline DecodedRequest decode_request(std::string_view bytes) {
    DecodedRequest request;
    protozero::pbf_reader reader(bytes.data(), bytes.size());
    while (reader.next(1)) {
        auto resource_spans = reader.get_message();
        while (resource_spans.next()) {
            if (resource_spans.tag() == 1) {
                auto resource = resource_spans.get_message();
                while (resource.next(1)) decode_attribute(resource.get_message(), request.resource);
                continue;
            }
            auto scope_spans = resource_spans.get_message();
            while (scope_spans.next()) {
                if (scope_spans.tag() == 1) {
                    auto scope = scope_spans.get_message();
                    while (scope.next(1)) request.scope = scope.get_string();
                } else {
                    request.spans.push_back(decode_span(scope_spans.get_string()));
                }
            }
        }
    }
    return request;
}

}  // namespace plimsoll::record
