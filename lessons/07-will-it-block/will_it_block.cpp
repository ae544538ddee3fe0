// Lesson 07: replace each call of not_started() with your own code. README.md tells the story,
// will_it_block.hpp is the contract.
#include "07-will-it-block/will_it_block.hpp"

#include "given/not_started.hpp"

bool course::wait_readable(int, std::optional<Duration>) { not_started("wait_readable"); }

bool course::wait_writable(int, std::optional<Duration>) { not_started("wait_writable"); }
