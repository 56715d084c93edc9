// How the process holds memory.
#pragma once

namespace plimsoll {

// Large blocks go back to the system as soon as they are freed, instead of leaving holes that the next large text does not fit into. Call
// once at the start of a command that makes a few texts of many megabytes; it costs such a command some page faults.
void return_large_blocks();

}  // namespace plimsoll
