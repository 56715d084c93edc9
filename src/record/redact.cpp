#include "record/redact.h"

#include "base/log.h"

namespace plimsoll::record {

void redact(json::value& value) {
    if (auto* array = value.if_array()) {
        for (auto& member : *array) redact(member);
    } else if (auto* object = value.if_object()) {
        for (auto& [key, member] : *object) {
            if (member.is_string() && is_secret_name(key))
                member = kRedacted;
            else
                redact(member);
        }
    }
}

}  // namespace plimsoll::record
