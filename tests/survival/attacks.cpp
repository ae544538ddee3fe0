// The table: what is done to a server, to which servers, and who dies of it.
#include "attack.hpp"
#include "harness/witness.hpp"

namespace survival {

const std::vector<Attack>& all_attacks() {
  using enum Kind;
  static const std::vector<Kind> both{echo, chat};
  static const std::vector<Attack> all{
      {"A client closes while two others send",
       {chat},
       close_while_two_send,
       {{"no_sigpipe", chat, "sends without MSG_NOSIGNAL"}}},
      {"A client finishes sending right after its request",
       both,
       close_half,
       {{"eof_drops_queue", echo, "drops a client at its end of stream, and what waits for it"}}},
      {"Clients reset their connections before accept",
       both,
       reset_before_accept,
       {{"asks_who_it_is", echo, "takes a failed getpeername for its own failure"}}},
      {"Clients reset theirs after accept",
       both,
       reset_after_accept,
       {{"exits_on_reset", echo, "takes a failed recv for its own failure"}}},
      {"Clients reset theirs in the middle of a reply",
       both,
       reset_in_a_reply,
       {{"exits_on_failed_send", echo, "takes a failed send for its own failure"}}},
      {"A client leaves in the middle of a line, and the next one comes",
       {chat},
       leave_in_a_line,
       {{"state_inherited", chat, "keeps what was said under the number of a descriptor"}}},
      {"A client never reads while others talk",
       both,
       never_read,
       {{"blocking_send", chat, "waits in send"},
        {"unbounded_queue", chat, "keeps whatever waits to be sent"}}},
      {"A client's process is stopped, and continued later",
       both,
       stop_the_reader,
       {{"exits_on_eagain", echo, "takes EAGAIN for a failure"}}},
      {"A client connects and says nothing",
       both,
       say_nothing,
       {{"waits_for_the_name", chat, "receives right after accept"}}},
      {"A client sends a byte at a time",
       both,
       drip,
       {{"waits_for_the_line", echo, "receives until the line is complete"},
        {"one_recv_one_line", chat, "takes what one recv brings for a line"}}},
      {"Two clients send half a line each, in turn",
       {chat},
       drip_in_turn,
       {{"shared_buffer", chat, "has one line buffer for all"}}},
      {"Nobody says anything",
       both,
       do_nothing,
       {{"always_watches_writing", echo, "watches for writing with nothing to write"}}},
      {"1,100 clients come",
       both,
       open_1100,
       {{"fd_too_large", echo, "gives FD_SET any descriptor"},
        {"setsize_off_by_one", echo, "refuses descriptors above FD_SETSIZE, but not FD_SETSIZE"}},
       {.descriptors = 4096}},
      {"60 clients come to a server with 32 descriptors",
       both,
       use_up_descriptors,
       {{"exits_on_emfile", echo, "takes EMFILE for the end"},
        {"spins_on_emfile", echo, "goes on watching the listener"},
        {"forgets_the_listener", echo, "never watches the listener again"}},
       {.descriptors = 32}},
      {"2,000 clients connect and vanish",
       both,
       storm,
       {{"leaks_on_reset", echo, "closes at the end of stream, but not after an error"}}},
      {"10,000 clients come, one after the other",
       both,
       come_and_go,
       {{"keeps_the_dead", echo, "marks those who left, and keeps them"}}},
      {"A client sends every value of a byte",
       both,
       send_every_byte,
       {{"c_strings", echo, "takes bytes for a C string"}}},
      {"A client sends 64 MiB without an end of line",
       both,
       send_an_endless_line,
       {{"unbounded_line", chat, "waits for the end of a line of any length"},
        {"fixed_line", chat, "takes any line to fit its array"}}},
      {"SIGTERM comes while lines wait for a slow client",
       {chat},
       stop_in_a_flush,
       {{"exits_at_once", chat, "exits in the signal handler"}}},
      {"SIGTERM comes, and a client never reads",
       both,
       stop_with_a_mute_client,
       {{"waits_for_the_last", echo, "flushes without a deadline"}}},
      {"The server is killed, and started again at once",
       both,
       start_again_at_once,
       {{"no_reuseaddr", echo, "binds without SO_REUSEADDR"}}},
  };
  return all;
}

void ordinary_conversation(Server& server) {
  for (int round = 0; round < 3; ++round) {
    const auto first = new_witness(server);
    for (int i = 0; i < 3; ++i) {
      const auto second = new_witness(server);
      promise(first->ask() && second->ask() && first->ask(3) && second->ask(3),
              verdict::others_wait);
      second->leave();
      promise(first->settle(), verdict::others_wait);
    }
    first->leave();
  }
}

}  // namespace survival
