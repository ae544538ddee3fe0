// Stands in for the server of lesson 16 until it is written.
#include "select_server.hpp"

class ChatServer : public SelectServer {
  static constexpr std::size_t line_bytes_max = 1024, queue_bytes_max = 1U << 20;

  void hear(int fd, course::cbytes data) override {
    Connection& one = connections_.at(fd);
    for (const char byte : course::as_text(data)) {
      if (byte != '\n') {
        if (one.line.size() < line_bytes_max) one.line += byte;
      } else if (!one.name.empty()) {
        tell(fd, one.name + ": " + std::exchange(one.line, {}) + '\n');
      } else {
        one.name = std::exchange(one.line, {});
        tell(fd, "* " + one.name + " joined\n");
      }
    }
  }
  void leave(int fd) override {
    if (!connections_.at(fd).name.empty()) tell(fd, "* " + connections_.at(fd).name + " left\n");
  }
  void tell(int from, const std::string& news) {
    for (auto& [fd, other] : connections_) {
      if (fd == from || other.name.empty() || other.is_broken) continue;
      other.out.push(course::as_bytes(news));
      if (other.out.size() > queue_bytes_max) other.is_broken = true;
    }
  }
};

int main(int argc, char* argv[]) { return ChatServer().run(argc, argv); }
