// Lesson 11: replace each call of not_started() with your own code. README.md tells the story,
// non_blocking.hpp is the contract.
#include "11-non-blocking/non_blocking.hpp"

#include "given/not_started.hpp"

void course::set_nonblocking(int, bool) { not_started("set_nonblocking"); }

course::IoResult course::try_recv(int, bytes) { not_started("try_recv"); }

course::IoResult course::try_send(int, cbytes) { not_started("try_send"); }

std::optional<course::Fd> course::try_accept(int) { not_started("try_accept"); }

course::IoResult course::drain(int, std::string&, std::size_t) { not_started("drain"); }

course::IoResult course::recv_some(int, bytes, Deadline) { not_started("recv_some"); }
