/// @file
/// What is done to a server, and the weak server that dies of it.
#pragma once

#include <string>
#include <vector>

#include "harness/server.hpp"

namespace survival {

/// A server of one page with one fault, in tests/survival/weak.
struct Weak {
  const char* name;   ///< of its file, without ".cpp"
  Kind kind;          ///< what it serves
  const char* fault;  ///< what it does wrong, in the words of the table
};

/// One attack. run() attacks, and throws Broken when the server does not keep what it promises to
/// its other clients; when it returns, its own clients have left.
struct Attack {
  const char* what;        ///< in the words of the table
  std::vector<Kind> on;    ///< which of the course's servers
  void (*run)(Server&);    ///< the attack itself
  std::vector<Weak> weak;  ///< those who die of it
  Limits limits{};         ///< what the server is given
};

/// All of them, in the order of the table.
[[nodiscard]] const std::vector<Attack>& all_attacks();

/// What every server bears: some clients come, talk and leave, one after the other and together.
void ordinary_conversation(Server& server);

// The attacks, by what they abuse. What each does is said where it is listed: attacks.cpp.

void close_while_two_send(Server& server);  // attacks/endings.cpp
void close_half(Server& server);
void reset_before_accept(Server& server);
void reset_after_accept(Server& server);
void reset_in_a_reply(Server& server);
void leave_in_a_line(Server& server);

void never_read(Server& server);  // attacks/slowness.cpp
void stop_the_reader(Server& server);
void say_nothing(Server& server);
void drip(Server& server);
void drip_in_turn(Server& server);
void do_nothing(Server& server);

void open_1100(Server& server);  // attacks/crowds.cpp
void use_up_descriptors(Server& server);
void storm(Server& server);
void come_and_go(Server& server);

void send_every_byte(Server& server);  // attacks/lines.cpp
void send_an_endless_line(Server& server);

void stop_in_a_flush(Server& server);  // attacks/stopping.cpp
void stop_with_a_mute_client(Server& server);
void start_again_at_once(Server& server);

}  // namespace survival
