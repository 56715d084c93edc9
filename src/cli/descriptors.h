// How many files and sockets this process may have open.
#pragma once

namespace plimsoll::cli {

// Raises the limit to what the system allows without more rights: thousands of connections need as many descriptors, and a shell
// usually gives 1,024. A limit that stays low shows as connections that cannot be opened or taken.
void raise_descriptor_limit();

}  // namespace plimsoll::cli
