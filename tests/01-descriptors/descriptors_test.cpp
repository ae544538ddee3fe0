// The graded checks of lesson 01, in the order of the stub: each needs few functions more than the
// one before.
//
// Each judges one thing only. So leaks and bad closes end a check only where they are its subject,
// and an Fd whose destructor is not lives outside run().
#include "01-descriptors/descriptors.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>

#include "scenario/check.hpp"
#include "simulation/text.hpp"
#include "sockets.hpp"

using namespace grader;

LESSON("01-descriptors");

// Rule: who owns a descriptor closes it when the owner's scope ends, however it ends.
TEST(Fd, ClosesItsDescriptorWhenDestroyed) {
  explain({.rule = "An Fd closes its descriptor when its scope ends, even by an exception.",
           .why = "A server that forgets one number per client ends with EMFILE.",
           .read = "The rule"});
  Scenario scenario;
  scenario.allow_open_descriptors();
  const int fd = scenario.peer("alice").connected_and_handed_over();
  int lent = -1;

  scenario.run([&] {
    try {
      const course::Fd owner(fd);
      lent = owner.get();
      throw std::runtime_error("something fails later in the scope");
    } catch (const std::runtime_error&) {
    }
  });

  if (lent != fd)
    fail(format("An Fd was made for descriptor %d, and get() says %d. Own the number itself.", fd,
                lent));
  else
    expect_that(!is_open(fd), format("The Fd that owned descriptor %d is gone, and %d is still "
                                     "open. Close it in the destructor.",
                                     fd, fd));
}

// Rule: giving up ownership leaves the descriptor open, with one owner.
TEST(Fd, ReleaseGivesUpWithoutClosing) {
  explain({.rule = "release() hands its descriptor out, still open, and owns nothing any more.",
           .why = "With two owners a number is closed twice, and the second time it can be "
                  "somebody else's.",
           .read = "Your task"});
  Scenario scenario;
  scenario.allow_open_descriptors();
  const int fd = scenario.peer("alice").connected_and_handed_over();
  course::Fd owner(fd);

  const int given_up = scenario.run([&] { return owner.release(); });

  if (given_up != fd)
    fail(
        format("release() returned %d; the Fd owned descriptor %d. Note the number, forget it, "
               "return it.",
               given_up, fd));
  else if (!is_open(fd))
    fail(format("release() closed descriptor %d. Leave that to the caller, who owns it now.", fd));
  else
    expect_that(owner.get() == -1,
                owner.get() == fd
                    ? format("release() handed descriptor %d out, and get() still says %d: now it "
                             "has two owners. Forget the number.",
                             fd, fd)
                    : format("release() handed %d out, and get() says %d%s. Only -1 means nothing.",
                             fd, owner.get(), owner.get() >= 0 ? ", which is a descriptor" : ""));
}

// Rule: an owner that takes another descriptor has to close the one it has.
TEST(Fd, ResetClosesTheOldDescriptor) {
  explain({.rule = "reset(fd) closes what the Fd owns and takes fd; reset() only closes.",
           .why = "The old number is overwritten, and with it the last chance to close it.",
           .read = "Your task"});
  Scenario scenario;
  scenario.allow_open_descriptors();
  const int old_fd = scenario.peer("alice").connected_and_handed_over();
  const int new_fd = scenario.peer("bob").connected_and_handed_over();
  const int last_fd = scenario.peer("carol").connected_and_handed_over();
  course::Fd replaced(old_fd), emptied(last_fd);

  scenario.run([&] {
    replaced.reset(new_fd);
    emptied.reset();
  });

  if (!is_open(new_fd))
    fail(format("reset(%d) closed %d, which it was given. Close the old one, %d.", new_fd, new_fd,
                old_fd));
  else if (is_open(old_fd))
    fail(
        format("reset(%d) left descriptor %d open, and no Fd knows its number any more. Close the "
               "old one.",
               new_fd, old_fd));
  else if (expect_equal(replaced.get(), new_fd,
                        "After reset(), get() does not say what was given."))
    expect_that(!is_open(last_fd), format("reset() left descriptor %d open. Close it.", last_fd));
}

// Rule: a new descriptor is the lowest free number (open(2)), often the one closed a moment ago.
TEST(Fd, ForgetsTheNumberItClosed) {
  explain({.rule = "An Fd forgets a number when it closes it.",
           .why = "The kernel hands out the lowest free number: what you have closed is soon "
                  "somebody else's.",
           .read = "The rule"});
  Scenario scenario;
  scenario.allow_open_descriptors();
  const int fd = scenario.peer("alice").connected_and_handed_over();
  int next = -1;

  scenario.run([&] {
    course::Fd owner(fd);
    owner.reset();
    next = open_a_socket();
  });

  expect_that(is_open(next), format("reset() closed descriptor %d, and the destructor closed %d "
                                    "once more. By then it was another socket. Forget a number "
                                    "when you close it.",
                                    fd, next));
}

// Rule: a move hands a duty over; afterwards exactly one object has it.
TEST(Fd, MoveConstructionEmptiesTheOther) {
  explain({.rule = "An Fd made from another one takes its descriptor; the other owns nothing.",
           .why = "Both are destroyed in the end, and only one of them may close it.",
           .read = "Your task"});
  Scenario scenario;
  scenario.allow_open_descriptors();
  const int fd = scenario.peer("alice").connected_and_handed_over();
  course::Fd from(fd);
  std::optional<course::Fd> to;

  scenario.run([&] { to.emplace(std::move(from)); });

  if (!is_open(fd))
    fail(format("The move closed descriptor %d. Hand the number over, and close nothing.", fd));
  else if (expect_equal(to->get(), fd, "get() of the new Fd does not say what was moved into it."))
    expect_that(from.get() == -1,
                format(from.get() == fd ? "After the move two Fds own descriptor %d, and both will "
                                          "close it. Make the other forget the number."
                                        : "The Fd moved from owns descriptor %d, which it was "
                                          "never given. Only -1 means nothing.",
                       from.get()));
}

// Rule: move assignment ends one duty and takes another over.
TEST(Fd, MoveAssignmentClosesTheOldDescriptor) {
  explain({.rule = "Move assignment closes what the left side owned, takes what the right side "
                   "owns, and leaves nothing there.",
           .why = "Every open number needs one owner: none is a leak, two are a double close.",
           .read = "Your task"});
  Scenario scenario;
  scenario.allow_open_descriptors();
  const int old_fd = scenario.peer("alice").connected_and_handed_over();
  const int new_fd = scenario.peer("bob").connected_and_handed_over();
  const int last_fd = scenario.peer("carol").connected_and_handed_over();
  course::Fd left(old_fd), right(new_fd), emptied(last_fd), nothing;
  const course::Fd* result = nullptr;

  scenario.run([&] {
    result = &(left = std::move(right));
    emptied = std::move(nothing);
  });

  if (!is_open(new_fd))
    fail(
        format("Move assignment closed descriptor %d, which it had just taken. Close the old one, "
               "%d.",
               new_fd, old_fd));
  else if (right.get() == old_fd)
    fail(
        format("Move assignment swapped: descriptor %d is still open, and the Fd moved from owns "
               "it. Close it at once.",
               old_fd));
  else if (is_open(old_fd))
    fail(format("Move assignment overwrote descriptor %d without closing it. Close the old one.",
                old_fd));
  else if (expect_equal(left.get(), new_fd, "get() does not say what was moved into the Fd.") &&
           expect_that(result == &left,
                       "The result of the assignment is not the left side. Return *this.") &&
           expect_that(right.get() == -1,
                       format("After the move two Fds own descriptor %d, and both will close it. "
                              "Make the right side forget the number.",
                              new_fd)) &&
           expect_that(!is_open(last_fd),
                       format("An Fd that owns nothing was moved into the Fd of descriptor %d, and "
                              "%d stayed open. Close the old one even then.",
                              last_fd, last_fd)))
    expect_equal(emptied.get(), -1,
                 "An Fd that owns nothing was moved into another: get() of that must say -1.");
}

// Rule: close(2) ends a descriptor; shutdown(2), recv(2) and O_NONBLOCK act upon the socket, for
// all descriptors of it.
TEST(Fd, ClosesTheDescriptorNotTheConversation) {
  explain({.rule = "An Fd closes its descriptor and does no more.",
           .why = "Other descriptors can name the same socket; their owners still need it.",
           .read = "Your task"});
  Scenario scenario;
  scenario.allow_open_descriptors();
  scenario.allow_bad_closes();

  for (const WayToClose& way : ways_to_close) {
    Peer& peer = scenario.peer(format("peer %td", &way - ways_to_close + 1));
    const int fd = peer.connected_and_handed_over();
    peer.sends("any news?");
    int other = -1;
    std::string heard;
    scenario.run([&] {
      other = ::dup(fd);
      way.close(fd);
      send_text(other, "still here");
      heard = receive_text(other, 16);
    });

    if (!expect_equal(peer.received(), "still here",
                      format("%s ended the conversation, though another descriptor of the same "
                             "socket, %d, was still in use. Close, and do no more.",
                             way.name, other)))
      return;
    if (!expect_equal(heard, "any news?",
                      format("%s took what another descriptor of the same socket, %d, was still to "
                             "read. Close, and do no more.",
                             way.name, other)))
      return;
    if (!is_blocking(other))
      return fail(
          format("%s set O_NONBLOCK, which belongs to the socket: another descriptor of it, %d, "
                 "does not wait any more either. Close, and do no more.",
                 way.name, other));
  }
}

// Rule: giver and taker can be one and the same object.
TEST(Fd, ChangesNothingWhenGivenItsOwnDescriptor) {
  explain({.rule = "An Fd moved into itself, or reset to what it owns, stays as it was.",
           .why = "Otherwise a descriptor is closed while it is in use, or nobody owns it.",
           .read = "Your task"});
  Scenario scenario;
  scenario.allow_open_descriptors();
  const int fd = scenario.peer("alice").connected_and_handed_over();
  const int moved_fd = scenario.peer("bob").connected_and_handed_over();
  course::Fd owner(fd), moved(moved_fd);
  course::Fd& itself = moved;

  scenario.run([&] {
    owner.reset(fd);
    moved = std::move(itself);
  });

  if (!is_open(fd))
    fail(format("reset(%d) closed %d, which the Fd owned already. Leave it as it is.", fd, fd));
  else if (!is_open(moved_fd))
    fail(
        format("The Fd of descriptor %d was moved into itself, and closed it. Find an order of "
               "steps in which giver and taker may be the same Fd.",
               moved_fd));
  else if (expect_equal(owner.get(), fd, "reset() to its own descriptor changed what get() says."))
    expect_equal(moved.get(), moved_fd,
                 "Moved into itself, the Fd lost its descriptor: see get().");
}

// Rule: there is nothing to close when nothing is owned.
TEST(Fd, ClosesNothingWhenItOwnsNothing) {
  explain({.rule = "An Fd that owns nothing says so with -1, and never calls close.",
           .why = "close(-1) fails and overwrites errno, which may be all that tells why something "
                  "else went wrong.",
           .read = "Your task"});
  Scenario scenario;
  scenario.allow_open_descriptors();
  scenario.allow_bad_closes();
  const int fd = open_a_socket();
  struct Step {
    const char* name;
    void (*take)(std::optional<course::Fd>& nothing, course::Fd& other, int fd);
  };
  using Nothing = std::optional<course::Fd>;
  const Step steps[] = {
      {"reset() of", [](Nothing& nothing, course::Fd&, int) { nothing->reset(); }},
      {"reset(fd) of", [](Nothing& nothing, course::Fd&, int taken) { nothing->reset(taken); }},
      {"release() of", [](Nothing& nothing, course::Fd&, int) { (void)nothing->release(); }},
      {"Move assignment to",
       [](Nothing& nothing, course::Fd& other, int) { *nothing = std::move(other); }},
      {"The destructor of", [](Nothing& nothing, course::Fd&, int) { nothing.reset(); }},
  };

  for (const Step& step : steps) {
    Nothing nothing(std::in_place);
    course::Fd made_from_nothing(-1);
    if (!expect_equal(nothing->get(), -1, "get() of an Fd that owns nothing must say -1.") ||
        !expect_equal(made_from_nothing.get(), -1, "get() of an Fd made from -1 must say -1."))
      return;
    scenario.run([&] { step.take(nothing, made_from_nothing, fd); });
    if (close_count(scenario, -1) > 0)
      return fail(
          format("%s an Fd that owned nothing called close(-1), which can only fail. Look whether "
                 "there is anything to close.",
                 step.name));
  }
}

// Rule: 0 is a descriptor like any other.
TEST(Fd, TreatsZeroAsADescriptor) {
  explain({.rule = "Only -1 means nothing; 0 is a descriptor like any other.",
           .why = "A program started without standard input is given 0 for the first thing that it "
                  "opens.",
           .read = "Reflect"});
  struct Way {
    const char* failed;
    bool (*works)(int fd);
  };
  const Way ways[] = {
      {"the destructor left it open",
       [](int fd) {
         { const course::Fd owner(fd); }
         return !is_open(fd);
       }},
      {"release() did not give it up",
       [](int fd) {
         course::Fd owner(fd);
         return owner.release() == fd && owner.get() == -1;
       }},
      {"reset() left it open",
       [](int fd) {
         course::Fd owner(fd);
         owner.reset();
         (void)owner.release();
         return !is_open(fd);
       }},
      {"reset(fd) did not take it",
       [](int fd) {
         course::Fd owner;
         owner.reset(fd);
         return owner.get() == fd;
       }},
      {"move construction did not hand it over",
       [](int fd) {
         course::Fd from(fd);
         const course::Fd to(std::move(from));
         return to.get() == fd && from.get() == -1;
       }},
      {"move assignment left it open",
       [](int fd) {
         course::Fd owner(fd), nothing;
         owner = std::move(nothing);
         (void)owner.release();
         return !is_open(fd);
       }},
      {"move assignment did not hand it over",
       [](int fd) {
         course::Fd from(fd), to;
         to = std::move(from);
         return to.get() == fd && from.get() == -1;
       }},
  };
  Scenario scenario;
  scenario.allow_open_descriptors();
  scenario.allow_bad_closes();

  // Another number shows whether it is about this one. 0, 1 and 2 are the check's own afterwards.
  for (const int number : {0, 1, 2, 600}) {
    const int saved = number <= 2 ? ::fcntl(number, F_DUPFD, 650) : -1;
    for (const Way& way : ways) {
      bool any_works = false, this_works = false;
      scenario.run([&] {
        const int any = open_a_socket();
        (void)::dup2(any, number);
        any_works = way.works(any);
        this_works = way.works(number);
      });
      if (is_open(number)) ::close(number);
      if (saved != -1) (void)::dup2(saved, number);
      if (any_works && !this_works)
        return fail(
            format("An Fd was given descriptor %d, and %s, as if %d meant nothing. Compare with "
                   "-1.",
                   number, way.failed, number));
    }
  }
}

// Rule: close(2) frees the number even when it fails ("Dealing with error returns from close()").
TEST(Fd, NeverRepeatsAFailedClose) {
  explain({.rule = "An Fd closes its descriptor once, whatever close returns, and goes on.",
           .why = "On Linux the number is free even when close fails: a second close can hit "
                  "somebody else's, and an exception here ends the program.",
           .read = "The rule"});
  Scenario scenario;
  scenario.allow_open_descriptors();
  scenario.allow_bad_closes();

  for (const int error : {EINTR, EIO})
    for (const WayToClose& way : ways_to_close) {
      scenario.faults().close_reports(error);
      int fd = -1;
      long before = 0;
      scenario.run([&] {
        fd = open_a_socket();
        before = close_count(scenario, fd);
        way.close(fd);
      });
      if (const long count = close_count(scenario, fd) - before; count > 1)
        return fail(
            format("%s called close(%d), which said %s, and called it again, %ld times in all. "
                   "The first call had freed the number: never repeat a close.",
                   way.name, fd, error_name(error).c_str(), count));
    }
}
