#include "graph/task.h"

#include <fmt/format.h>

namespace plimsoll::graph {

std::string hash_hex(std::initializer_list<std::string_view> texts) {
    __extension__ using Wide = unsigned __int128;
    Wide hash = (Wide{0x6c62272e07bb0142u} << 64) | 0x62b821756295c58du;
    const Wide prime = (Wide{1} << 88) | 0x13bu;
    for (const std::string_view text : texts) {
        for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * prime;
        hash *= prime;  // the zero byte
    }
    return fmt::format("{:016x}{:016x}", static_cast<std::uint64_t>(hash >> 64), static_cast<std::uint64_t>(hash));
}

std::string make_task_key(std::string_view checkpoint, std::string_view space, const Task& task, std::size_t first_send) {
    const std::size_t index = task.is_send() ? task.id.index - first_send : 0;
    return hash_hex(
        {checkpoint, space, std::to_string(task.id.step), task.node->name, task.is_send() ? "send" : "edge", std::to_string(index)});
}

std::string make_interrupt_id(std::string_view task_space, std::size_t n) { return hash_hex({task_space, std::to_string(n)}); }

std::string join_space(std::string_view outer, std::string_view node, std::string_view key) {
    std::string space(outer);
    if (!space.empty()) space += '|';
    space += node;
    if (!key.empty()) space.append(":").append(key);
    return space;
}

json::value to_json(const std::vector<Interrupt>& interrupts) {
    json::array all;
    for (const Interrupt& interrupt : interrupts) all.push_back({{"value", interrupt.value}, {"id", interrupt.id}});
    return all;
}

Result<std::vector<Interrupt>> interrupts_from_json(const json::value& value) {
    std::vector<Interrupt> all;
    if (const json::array* items = value.if_array()) {
        for (const json::value& item : *items) {
            const json::value* question = find(item, "value");
            const auto id = get_string(item, "id");
            if (!question || !id) return fail(ErrorCode::parse, "an interrupt without value or id");
            all.push_back({*question, *id});
        }
    }
    return all;
}

}  // namespace plimsoll::graph
