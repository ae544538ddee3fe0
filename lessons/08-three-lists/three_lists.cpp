// Lesson 08: replace each call of not_started() with your own code. README.md tells the story,
// three_lists.hpp is the contract.
#include "08-three-lists/three_lists.hpp"

#include "given/not_started.hpp"

course::Ready course::select_on(std::span<const int>, std::span<const int>, std::span<const int>,
                                std::optional<Duration>) {
  not_started("select_on");
}
