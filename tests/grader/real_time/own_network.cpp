// A network of this process's own.
#include <linux/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstring>

#include "libc/real_libc.hpp"
#include "real_time/real_time.hpp"

namespace grader {
namespace {

bool start_loopback() {
  const int fd = real().socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  const bool is_up = real().ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  real().close(fd);
  return is_up;
}

}  // namespace

bool enter_own_network() {
  if (::unshare(CLONE_NEWNET) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return true;
  return start_loopback();
}

}  // namespace grader
