// Stands in for the server of lesson 15 until it is written.
#include "select_server.hpp"

class EchoServer : public SelectServer {
  void hear(int fd, course::cbytes data) override { connections_.at(fd).out.push(data); }
  void leave(int) override {}
};

int main(int argc, char* argv[]) { return EchoServer().run(argc, argv); }
