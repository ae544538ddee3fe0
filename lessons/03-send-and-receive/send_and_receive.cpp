// Lesson 03: replace each call of not_started() with your own code. README.md tells the story,
// send_and_receive.hpp is the contract.
#include "03-send-and-receive/send_and_receive.hpp"

#include "given/not_started.hpp"

// A good first one: no other function here needs it.
void course::send_all(int /*fd*/, cbytes /*data*/) { not_started("send_all"); }

course::IoResult course::recv_some(int /*fd*/, bytes /*buffer*/) { not_started("recv_some"); }

// Easier once recv_some works.
course::IoResult course::recv_exact(int /*fd*/, bytes /*buffer*/) { not_started("recv_exact"); }
