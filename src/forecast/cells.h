// What is too large to play session by session is cut into equal cells: the same network with fewer users, replicas and places of tools
// in the same proportion. One cell is played; the others are like it.
#pragma once

#include "forecast/network.h"

namespace plimsoll::forecast {

struct Cell {
    NetworkModel network;
    double users = 0;   // of the cell
    double scale = 1;   // cells in the whole, not always a whole number
    bool whole = true;  // the network could not be cut, or need not be: all of it is here
};

// Users of a cell that is played: as few as the proportions allow. Up to kMostUncut users nothing is cut.
inline constexpr double kLeastCellUsers = 300, kMostUncut = 1500;

// `users`: in flight at once, at least 1. Where no cell of up to kMostUncut users has nearly the proportions of the whole (one replica
// for 100,000 users), the network stays whole. Replicas that could never all be busy, with `calls_a_user` model calls a session, are left
// out.
Cell cut_network(const NetworkModel& network, double users, std::size_t calls_a_user);

}  // namespace plimsoll::forecast
