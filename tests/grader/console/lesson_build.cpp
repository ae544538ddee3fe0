#include "console/lesson_build.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "course_config.hpp"

namespace console {
namespace {

// Two ninjas in one build directory would spoil each other's records.
class BuildLock {
 public:
  BuildLock()
      : fd_(open((std::string(build_directory) + "/.grade.lock").c_str(),
                 O_CREAT | O_RDWR | O_CLOEXEC, 0644)) {
    if (fd_ >= 0) flock(fd_, LOCK_EX);
  }
  ~BuildLock() {
    if (fd_ >= 0) close(fd_);
  }
  BuildLock(const BuildLock&) = delete;
  BuildLock& operator=(const BuildLock&) = delete;

 private:
  int fd_;
};

bool is_ninjas_own(const std::string& line) {
  return line.rfind("ninja: ", 0) == 0 || line.rfind('[', 0) == 0 || line.rfind("FAILED: ", 0) == 0;
}

// The command line that ninja repeats after FAILED: begins with the compiler.
bool is_command(const std::string& line) {
  return line.find(" -o ") != std::string::npos && line.size() > 200;
}

std::string without_ninjas_words(const std::string& output) {
  std::string result;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);)
    if (!is_ninjas_own(line) && !is_command(line)) result += line + '\n';
  return result;
}

}  // namespace

std::string shell_quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) c == '\'' ? result += "'\\''" : result += c;
  return result + "'";
}

Build build(const std::vector<std::string>& targets) {
  const BuildLock lock;
  std::string command = shell_quoted(ninja) + " -C " + shell_quoted(build_directory) + " -k 0";
  for (const std::string& target : targets) command += " " + shell_quoted(target);
  std::FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return {false, "ninja could not be started\n"};
  std::string output;
  char buffer[4096];
  while (const std::size_t got = std::fread(buffer, 1, sizeof buffer, pipe))
    output.append(buffer, got);
  const int status = pclose(pipe);
  return {WIFEXITED(status) && WEXITSTATUS(status) == 0, without_ninjas_words(output)};
}

std::string build_failure_text(const std::string& lesson, const Build& build) {
  std::string header = lesson.substr(3) + ".hpp";  // without the number
  std::replace(header.begin(), header.end(), '-', '_');
  return build.output + "\nLesson " + lesson +
         " does not build yet: the first error above is the one to look at.\nEvery function keeps "
         "the signature of the contract, lessons/" +
         lesson + "/" + header + ".\n";
}

}  // namespace console
