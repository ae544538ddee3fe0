// eventfd and signalfd: descriptors that wake.
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include <cerrno>

#include "libc/real_libc.hpp"
#include "simulation/system_calls.hpp"
#include "simulation/text.hpp"

namespace grader {

Answer SystemCalls::eventfd(unsigned value, int flags) {
  std::string text = format("eventfd(%u", value);
  if ((flags & EFD_NONBLOCK) != 0) text += ", NONBLOCK";
  if ((flags & EFD_SEMAPHORE) != 0) text += ", SEMAPHORE";
  const auto call = begin("eventfd", -1, text + ")");
  if (auto failure = planned_failure("eventfd", "eventfd", -1, call)) return *failure;
  const int fd = real().eventfd(value, flags);
  if (fd < 0) return failed("eventfd", -1, call, errno);
  simulation_.adopt(fd, new_file(OpenFile::Kind::eventfd, "an eventfd"), false, "eventfd()");
  return simulation_.recorder.done(call, fd);
}

Answer SystemCalls::signalfd(int fd, const sigset_t* set, int flags) {
  const auto call =
      begin("signalfd", fd, format("signalfd(%d, %s)", fd, signals_text(*set).c_str()));
  if (auto failure = planned_failure("signalfd", "signalfd", fd, call)) return *failure;
  const int result = real().signalfd(fd, set, flags);
  if (result < 0) return failed("signalfd", fd, call, errno);
  if (fd == -1)
    simulation_.adopt(result, new_file(OpenFile::Kind::signalfd, "a signalfd"), false,
                      "signalfd()");
  return simulation_.recorder.done(call, result);
}

}  // namespace grader
