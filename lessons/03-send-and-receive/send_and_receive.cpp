// Lesson 03: replace each call of not_started() with your own code. README.md tells the story,
// send_and_receive.hpp is the contract.
#include "03-send-and-receive/send_and_receive.hpp"

#include "given/not_started.hpp"

namespace course {

// A good first one: no other function here needs it, and half of the checks are about it.
void send_all(int /*fd*/, cbytes /*data*/) { not_started("send_all"); }

IoResult recv_some(int /*fd*/, bytes /*buffer*/) { not_started("recv_some"); }

// Easier once recv_some works.
IoResult recv_exact(int /*fd*/, bytes /*buffer*/) { not_started("recv_exact"); }

}  // namespace course
