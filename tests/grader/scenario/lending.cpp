// The descriptors, other than connections and pipes, that a check lends the program.
#include <fcntl.h>
#include <unistd.h>

#include "libc/real_libc.hpp"
#include "scenario/scenario.hpp"
#include "simulation/simulation.hpp"
#include "simulation/text.hpp"

namespace grader {
namespace {

std::string own_path(int fd) { return format("/proc/self/fd/%d", fd); }

int lend(Simulation& simulation, int fd, const std::string& description) {
  if (fd < 0)
    simulation.give_verdict(Verdict::infrastructure, description + ": " + error_name(errno));
  auto file = std::make_shared<OpenFile>();
  file->kind = OpenFile::Kind::file;
  file->description = description;
  simulation.adopt(fd, std::move(file), true, "the check");
  return fd;
}

}  // namespace

// A file in memory is a regular one to the kernel, and leaves nothing behind.
int Scenario::file(const std::string& contents) {
  const int memory = real().memfd_create("file", MFD_CLOEXEC);
  for (std::size_t done = 0; memory >= 0 && done < contents.size();) {
    const ssize_t written = real().write(memory, contents.data() + done, contents.size() - done);
    if (written <= 0) break;
    done += static_cast<std::size_t>(written);
  }
  const int keeper = Simulation::out_of_the_way(memory);
  const int fd = real().open(own_path(keeper).c_str(), O_RDONLY | O_CLOEXEC);
  const int error = errno;
  real().close(keeper);
  errno = error;
  return lend(simulation_, fd, "a file");
}

int Scenario::output_file() {
  return lend(simulation_, real().memfd_create("file", MFD_CLOEXEC), "the output file");
}

std::string Scenario::contents_of(int fd) const {
  const int again = real().open(own_path(fd).c_str(), O_RDONLY | O_CLOEXEC);
  std::string contents;
  char buffer[4096];
  for (ssize_t got = 0; (got = real().read(again, buffer, sizeof buffer)) > 0;)
    contents.append(buffer, static_cast<std::size_t>(got));
  real().close(again);
  return contents;
}

int Scenario::null_device() {
  return lend(simulation_, real().open("/dev/null", O_RDWR | O_CLOEXEC), "/dev/null");
}

int Scenario::lend_at(int fd, int number) {
  if (fd != number) simulation_.renumber(fd, number);
  return number;
}

void Scenario::next_descriptor_is(int number) { simulation_.take_numbers_below(number); }

}  // namespace grader
