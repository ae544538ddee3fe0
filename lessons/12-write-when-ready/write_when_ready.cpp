// Lesson 12: replace each call of not_started() with your own code. README.md tells the story,
// write_when_ready.hpp is the contract.
#include "12-write-when-ready/write_when_ready.hpp"

#include "given/not_started.hpp"

void course::OutQueue::push(cbytes) { not_started("OutQueue::push"); }

course::IoResult course::OutQueue::flush(int) { not_started("OutQueue::flush"); }

bool course::OutQueue::wants_write() const noexcept { not_started("OutQueue::wants_write"); }

std::size_t course::OutQueue::size() const noexcept { not_started("OutQueue::size"); }

void course::relay(int, int, WaterMarks) { not_started("relay"); }
