#include "05-endings/endings.hpp"

#include "given/not_started.hpp"

// Begin with finish_sending(), the smallest. The functions of lessons 01 and 03 are yours to use.

namespace course {

void finish_sending(int /*fd*/) { not_started("finish_sending"); }

IoResult read_to_eof(int /*fd*/, std::string& /*received*/) { not_started("read_to_eof"); }

IoResult ask(int /*fd*/, cbytes /*request*/, std::string& /*reply*/) { not_started("ask"); }

void close_gracefully(Fd /*connection*/, std::chrono::milliseconds /*linger*/) noexcept {
  not_started("close_gracefully");
}

}  // namespace course
