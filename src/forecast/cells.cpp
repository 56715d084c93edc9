#include "forecast/cells.h"

#include <algorithm>
#include <cmath>

namespace plimsoll::forecast {
namespace {

// A cell keeps this many places of a resource where the whole has them: few places queue more than many do.
constexpr int kLeastPlaces = 8;
// Proportions this near to the true ones are as good as equal.
constexpr double kGoodProportion = 0.005;
// A cell further off than this would answer for another network.
constexpr double kWorstProportion = 0.05;
// A replica is free again for the next call of a round long before so many have passed.
constexpr double kReplicasACall = 4;

template <class Visit>
void for_each_count(const NetworkModel& network, Visit visit) {
    for (const EndpointModel& endpoint : network.endpoints) visit(endpoint.replicas);
    for (const int servers : network.tool_servers)
        if (servers > 0) visit(servers);
}

int cut_count(int count, double scale) { return std::max(1, static_cast<int>(std::lround(count / scale))); }

// How far the cut counts are from their share, of the worst one.
double disproportion(const NetworkModel& network, double scale) {
    double worst = 0;
    for_each_count(network, [&](int count) { worst = std::max(worst, std::abs(cut_count(count, scale) * scale / count - 1)); });
    return worst;
}

bool keeps_places(const NetworkModel& network, double scale) {
    bool keeps = true;
    for_each_count(network, [&](int count) { keeps = keeps && cut_count(count, scale) >= std::min(count, kLeastPlaces); });
    return keeps;
}

// Users of the cell; 0 when no cell is possible.
double choose_users(const NetworkModel& network, double users) {
    double best = 0, least = kWorstProportion;
    for (double cell = kLeastCellUsers; cell <= kMostUncut; cell += 1) {
        const double scale = users / cell;
        // Only at the upper end may a cell hold fewer places than it should.
        if (!keeps_places(network, scale) && cell < kMostUncut / 2) continue;
        const double off = disproportion(network, scale);
        if (off < least) {
            least = off;
            best = cell;
        }
        if (off <= kGoodProportion) break;
    }
    return best;
}

}  // namespace

Cell cut_network(const NetworkModel& network, double users, std::size_t calls_a_user) {
    Cell cell{network, users};
    const double busy = kReplicasACall * users * static_cast<double>(std::max<std::size_t>(1, calls_a_user));
    for (EndpointModel& endpoint : cell.network.endpoints)
        endpoint.replicas = static_cast<int>(std::min<double>(endpoint.replicas, std::max(1.0, std::ceil(busy))));
    if (users <= kMostUncut) return cell;
    const double cell_users = choose_users(cell.network, users);
    if (cell_users == 0) return cell;
    cell.whole = false;
    cell.users = cell_users;
    cell.scale = users / cell_users;
    for (EndpointModel& endpoint : cell.network.endpoints) endpoint.replicas = cut_count(endpoint.replicas, cell.scale);
    for (int& servers : cell.network.tool_servers)
        if (servers > 0) servers = cut_count(servers, cell.scale);
    return cell;
}

}  // namespace plimsoll::forecast
