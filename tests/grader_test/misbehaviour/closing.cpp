// Programs that close what they should not, or do not close what they should.
#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include "misbehaviour.hpp"

using namespace std::chrono_literals;

// Gives: failing, bad close
// Says: the program closed descriptor 4, which it had closed before, at 0 s
MISBEHAVIOUR(BadClose, Twice) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  ::close(fd);
  ::close(fd);
}

// Gives: failing, bad close
// Says: the program closed descriptor 99, which is not open
MISBEHAVIOUR(BadClose, OfANumberNeverOpened) { ::close(99); }

// Gives: failing, bad close
// Says: the program closed descriptor 3 (the connection to alice), which it had only borrowed
MISBEHAVIOUR(BadClose, OfABorrowedOne) { ::close(world.fd); }

// Gives: failing, bad close
// Says: closed descriptor 3 (the connection to alice), which it had only borrowed
MISBEHAVIOUR(BadClose, OfABorrowedOneByDup2) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  ::dup2(fd, world.fd);
}

// Gives: failing, bad close
// Says: the program closed descriptor 0, standard input
MISBEHAVIOUR(BadClose, OfStandardInput) { ::close(0); }

// Gives: failing, bad close
// Says: the program closed descriptor 1, standard output
MISBEHAVIOUR(BadClose, OfStandardOutput) { ::close(1); }

// Gives: failing, bad close
// Says: the program closed descriptor 2, standard error
MISBEHAVIOUR(BadClose, OfStandardError) { ::close(2); }

// Gives: failing, bad close
// Says: which is not its own
MISBEHAVIOUR(BadClose, OfTheGradersOwn) {
  for (int fd = 700; fd < 710; ++fd)
    if (::fcntl(fd, F_GETFD) >= 0) ::close(fd);
}

// Gives: failing, bad close
// Says: the program closed descriptor 3 (the connection to alice), which it had only borrowed
MISBEHAVIOUR(BadClose, OfAllThereAre) {
  for (int fd = 3; fd < 1024; ++fd) ::close(fd);
}

// Gives: failing, not in this lesson
// Says: close_range
MISBEHAVIOUR(BadClose, OfAWholeRange) { ::close_range(3, ~0U, 0); }

// Gives: failing, bad close
// Says: freed an address list that getaddrinfo did not give it, or freed it twice
MISBEHAVIOUR(BadClose, OfAnAddressListTwice) {
  addrinfo* list = nullptr;
  if (::getaddrinfo("192.0.2.1", "80", nullptr, &list) != 0) return;
  ::freeaddrinfo(list);
  ::freeaddrinfo(list);
}

// Gives: failing, descriptor leak
// Says: descriptor 4 is still open: a socket, opened by socket() at 0 s
MISBEHAVIOUR(DescriptorLeak, OfASocket) { (void)::socket(AF_INET, SOCK_STREAM, 0); }

// Gives: failing, descriptor leak
// Says: descriptor 4 is still open: the read end of a pipe, opened by pipe() at 0 s; and 1 more
MISBEHAVIOUR(DescriptorLeak, OfAPipe) {
  int ends[2];
  (void)!::pipe(ends);
}

// Gives: failing, descriptor leak
// Says: descriptor 4 is still open: the connection to alice, opened by dup() at 0 s
MISBEHAVIOUR(DescriptorLeak, OfADuplicate) { (void)!::dup(world.fd); }

// Gives: failing, descriptor leak
// Says: descriptor 4 is still open: the file /dev/null, opened by open() at 0 s
MISBEHAVIOUR(DescriptorLeak, OfAFile) { (void)::open("/dev/null", O_RDONLY); }

// Gives: failing, descriptor leak
// Says: descriptor 5 is still open: the connection to bob, opened by accept() at 1.9 s
MISBEHAVIOUR(DescriptorLeak, OfAnAcceptedConnection) {
  world.scenario.peer("bob").at(1900ms).connects();
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  ::listen(listener, 5);
  (void)::accept(listener, nullptr, nullptr);
  ::close(listener);
}

// Gives: failing, memory leak
// Says: an address list of getaddrinfo was never given to freeaddrinfo
MISBEHAVIOUR(MemoryLeak, OfAnAddressList) {
  addrinfo* list = nullptr;
  (void)::getaddrinfo("192.0.2.1", "80", nullptr, &list);
}

// Gives: passed, none
// Sanitized: failing, memory leak
// Sanitized says: memory was allocated and never freed; the output says where
MISBEHAVIOUR(MemoryLeak, OfNew) {
  volatile auto* lost = new int[100];
  lost[0] = 1;
}

// Gives: failing, bad close
// Says: the program closed descriptor 0 (the pipe from keyboard), which it had only borrowed
MISBEHAVIOUR(BadClose, OfStandardInputThatWasLent) {
  world.scenario.lend_at(world.scenario.peer("keyboard").pipe_to_program(), 0);
  ::close(0);
}
