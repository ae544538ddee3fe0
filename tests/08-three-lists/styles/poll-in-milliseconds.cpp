// poll(2), whose timeout is an int of milliseconds: it rounds up, and a long wait takes several.
#include <poll.h>
#include <sys/select.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string>
#include <system_error>

#include "08-three-lists/three_lists.hpp"

using std::chrono::milliseconds;

namespace {

struct Question {
  std::span<const int> fds;
  short events;  // what poll is asked
  short means;   // what counts as yes
  std::vector<int> answer{};
};

int milliseconds_of(const std::optional<course::Duration>& left) {
  if (!left) return -1;
  return static_cast<int>(
      std::min<long long>(std::chrono::ceil<milliseconds>(*left).count(), INT_MAX));
}

void fail(int error, const std::string& subject) {
  throw std::system_error(error, std::generic_category(), subject);
}

}  // namespace

course::Ready course::select_on(std::span<const int> readers, std::span<const int> writers,
                                std::span<const int> exceptional, std::optional<Duration> timeout) {
  const Deadline deadline = timeout ? Deadline::after(*timeout) : Deadline::never();
  Question questions[] = {{readers, POLLIN, POLLIN | POLLHUP | POLLERR},
                          {writers, POLLOUT, POLLOUT | POLLERR},
                          {exceptional, POLLPRI, POLLPRI}};
  std::vector<pollfd> entries;  // one for each descriptor of each list, in their order
  for (const Question& question : questions)
    for (const int fd : question.fds) {
      if (fd < 0 || fd >= FD_SETSIZE) fail(EINVAL, std::to_string(fd) + " does not fit");
      const bool is_known = std::any_of(entries.begin(), entries.end(), [&](const pollfd& entry) {
        return entry.fd == fd && entry.events == question.events;
      });
      if (!is_known) entries.push_back({fd, question.events, 0});
    }

  bool is_over = false;
  while (!is_over) {
    const int time = milliseconds_of(deadline.remaining());
    const int count = ::poll(entries.data(), entries.size(), time);
    if (count == -1) fail(errno, "poll");
    is_over = count == 0 && time >= 0 && deadline.has_passed();
    for (pollfd& entry : entries) {
      if ((entry.revents & POLLNVAL) != 0) fail(EBADF, "poll: " + std::to_string(entry.fd));
      for (Question& question : questions)
        if (entry.events == question.events && (entry.revents & question.means) != 0) {
          question.answer.push_back(entry.fd);
          is_over = true;
        }
      if (entry.revents != 0) entry.fd = -1;  // asked and answered, or of no interest
    }
  }
  return {questions[0].answer, questions[1].answer, questions[2].answer};
}
