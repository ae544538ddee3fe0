// The graded checks of lesson 16: the rules of the room, without a socket.
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "16-chat-server/chat_server.hpp"
#include "hosting.hpp"
#include "runner/check_process.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

using course::ClientId;
using course::Event;
using Lines = std::map<ClientId, std::vector<std::string>>;  // who gets which, in this order

Event joined(ClientId who) { return {Event::Kind::joined, who, {}}; }
Event says(ClientId who, std::string_view text) {
  return {Event::Kind::line, who, std::string(text)};
}
Event left(ClientId who, std::string why = {}) { return {Event::Kind::left, who, std::move(why)}; }

// "Client 1 said "ada"".
std::string story_of(const Event& event) {
  const std::string who = format("client %d ", static_cast<int>(event.client));
  if (event.kind == Event::Kind::line) return who + "said " + quoted(event.text, 40);
  return who + told(event);
}

// "1: "* your name?"; 2: nothing".
std::string text_of(const Lines& lines) {
  std::string all;
  for (const auto& [who, texts] : lines) {
    all += format("%s%d:", all.empty() ? "" : "; ", static_cast<int>(who));
    for (const std::string& text : texts) all += " " + quoted(text, 60);
  }
  return all.empty() ? "nobody gets anything" : all;
}

// A room, and what has happened in it so far.
class InARoom {
 public:
  explicit InARoom(Scenario& scenario) : scenario_(scenario) {
    scenario.run([&] { room_.emplace(); });
  }
  ~InARoom() {
    scenario_.run([&] { room_.reset(); });
  }
  InARoom(const InARoom&) = delete;
  InARoom& operator=(const InARoom&) = delete;

  // One event, after which `wanted` must come out. Fails with the story so far, when not.
  bool then(const Event& event, const Lines& wanted, const std::string& rule,
            Where where = Where::here()) {
    tell(event);
    Lines got;
    for (const auto& [to, line] : scenario_.run([&] { return room_->handle(event); }))
      got[to].push_back(line);
    return expect_that(
        got == wanted,
        story_ + ".\n  wanted: " + text_of(wanted) + "\n  got:    " + text_of(got) + "\n" + rule,
        where);
  }

  // Events of which this check does not judge what comes out.
  void given(const std::vector<Event>& events) {
    for (const Event& event : events) {
      tell(event);
      scenario_.run([&] { (void)room_->handle(event); });
    }
  }

  // name_of() must be `wanted`.
  bool calls(ClientId who, const std::optional<std::string>& wanted, Where where = Where::here()) {
    const auto got = scenario_.run([&] { return room_->name_of(who); });
    const auto text = [](const auto& name) { return name ? quoted(*name, 40) : "no name"; };
    return expect_that(got == wanted,
                       story_ + format(". Then client %d has ", static_cast<int>(who)) +
                           text(wanted) + ", and name_of() says " + text(got) + ".",
                       where);
  }

  [[nodiscard]] std::optional<course::Room>& room() { return room_; }

  // Somebody with this name is in the room.
  void has(ClientId who, const std::string& name) { given({joined(who), says(who, name)}); }

 private:
  void tell(const Event& event) {
    std::string next = story_of(event);
    if (story_.empty())
      next[0] = 'C';
    else
      story_ += ", then ";
    story_ += next;
  }

  Scenario& scenario_;
  std::optional<course::Room> room_;
  std::string story_;
};

// For a crash, which no expectation can explain: the report says it after the verdict.
void note(const std::string& text) { put(current_recording().hint, text); }

constexpr const char* name_rule = "! a name has 1 to 16 letters, digits, - or _";

}  // namespace

// Rule: first a name, then the room; whoever is in it hears of it.
TEST(Room, AsksForANameAndLetsIn) {
  explain({.rule =
               "Ask who joins for a name; tell who comes in who is here, and all others who came "
               "in.",
           .why = "Whoever talks wants to know who listens.",
           .read = "Your task"});
  Scenario s;
  InARoom r(s);
  const char* rule =
      "A newcomer hears who is here, in the order in which they came in; all others "
      "who have a name hear of the newcomer.";
  r.then(joined(3), {{3, {"* your name?"}}}, "Only who joins is asked for its name.") &&
      r.calls(3, std::nullopt) && r.then(joined(7), {{7, {"* your name?"}}}, rule) &&
      r.then(says(7, "carol"), {{7, {"* here: nobody else"}}}, rule) && r.calls(7, "carol") &&
      r.then(joined(5), {{5, {"* your name?"}}}, rule) &&
      r.then(says(3, "ada"), {{3, {"* here: carol"}}, {7, {"* ada joined"}}}, rule) &&
      r.then(says(5, "bob"),
             {{5, {"* here: carol ada"}}, {3, {"* bob joined"}}, {7, {"* bob joined"}}}, rule) &&
      r.calls(5, "bob") && r.calls(3, "ada") && r.calls(4, std::nullopt);
}

// Rule: a name is short and plain, so that a line is never mistaken for another.
TEST(Room, TakesOnlyPlainNames) {
  explain({.rule = "A name is 1 to 16 bytes, each an ASCII letter, a digit, '-' or '_'. Who wants "
                   "another is told so, and may try again.",
           .why = "A client called \"* ada left\" could speak with the voice of the room.",
           .read = "The rules of the room"});
  const std::string_view bad[] = {
      "",       "12345678901234567", "ada bob", " ada", "ada ", "a.b", "a:b", "*", "!",   "ada\r",
      "a\0b"sv, "\xc3\xa4rger",      "ada\t",   "a+b",  "[x]",  "`",   "a@b", "{", "a/b", "\x7f"};
  const std::string_view good[] = {
      "x", "1234567890123456", "a-b_c", "AZaz09", "-", "_", "0", "Zoe-9", "zZ"};
  Scenario s;
  for (const std::string_view name : bad) {
    InARoom r(s);
    r.given({joined(1)});
    if (!r.then(says(1, name), {{1, {name_rule}}}, "This is no name.") ||
        !r.calls(1, std::nullopt) ||
        !r.then(says(1, "ada"), {{1, {"* here: nobody else"}}},
                "After a name that was refused, the next line is the next try."))
      return;
  }
  for (const std::string_view name : good) {
    InARoom r(s);
    r.given({joined(1)});
    if (!r.then(says(1, name), {{1, {"* here: nobody else"}}}, "This is a name.")) return;
  }
}

// Rule: a name means one client at a time.
TEST(Room, GivesANameToOneOnly) {
  explain({.rule =
               "A name that is taken is refused until its client has left; upper and lower case "
               "differ.",
           .why = "Two who are called ada cannot be told apart, and one of them may mean to be the "
                  "other.",
           .read = "The rules of the room"});
  Scenario s;
  InARoom r(s);
  r.has(7, "ada");
  r.given({joined(2), joined(3)});
  r.then(says(2, "ada"), {{2, {"! ada is taken"}}}, "Client 7 is called so.") &&
      r.calls(2, std::nullopt) &&
      r.then(says(2, "Ada"), {{2, {"* here: ada"}}, {7, {"* Ada joined"}}},
             "Upper and lower case differ.") &&
      r.then(says(3, "Ada"), {{3, {"! Ada is taken"}}}, "Client 2 is called so.") &&
      r.then(left(7), {{2, {"* ada left"}}}, "All others hear that it left.") &&
      r.then(says(3, "ada"), {{3, {"* here: Ada"}}, {2, {"* ada joined"}}},
             "A name is free when its client has left.") &&
      r.calls(3, "ada") && r.calls(7, std::nullopt);
}

// Rule: what one says, all others hear, as it is.
TEST(Room, PassesOnWhatIsSaid) {
  explain({.rule = "A line of a client with a name goes to all others with a name, byte for byte, "
                   "after \"name: \".",
           .why = "Who hears its own words back cannot tell them from somebody else's.",
           .read = "The rules of the room"});
  Scenario s;
  InARoom r(s);
  r.has(1, "ada");
  r.has(2, "bob");
  r.given({joined(3)});
  r.has(4, "carol");
  for (const std::string_view text :
       {"hello"sv, ""sv, "  two  spaces "sv, "* bob left"sv, "bob: no"sv, "dave"sv, "ada"sv,
        "a\0b\r\xff"sv, "100 %s %n"sv}) {
    const std::string line = "ada: " + std::string(text);
    if (!r.then(says(1, text), {{2, {line}}, {4, {line}}},
                "All others with a name get the line, and nobody else does."))
      return;
  }
  const std::string long_text(3'000, 'x');
  r.then(says(2, long_text), {{1, {"bob: " + long_text}}, {4, {"bob: " + long_text}}},
         "A line may be of any length.") &&
      r.calls(1, "ada");
}

// Rule: whoever leaves is missed by those who knew it.
TEST(Room, TellsWhoLeft) {
  explain({.rule =
               "All others hear who left and, when there is a reason, why; of a client without a "
               "name nobody hears.",
           .why = "An answer to somebody who has left is an answer to nobody.",
           .read = "The rules of the room"});
  Scenario s;
  InARoom r(s);
  for (ClientId who = 1; who <= 4; ++who)
    r.has(who, std::string(1, static_cast<char>('a' + who - 1)));
  r.given({joined(5), joined(6), says(6, "no name!")});
  r.then(left(2), {{1, {"* b left"}}, {3, {"* b left"}}, {4, {"* b left"}}},
         "Without a reason there are no brackets, and who left gets nothing any more.") &&
      r.then(left(1, "too slow"), {{3, {"* a left (too slow)"}}, {4, {"* a left (too slow)"}}},
             "The reason stands in brackets.") &&
      r.then(left(5), {}, "It never had a name.") &&
      r.then(left(6, "line too long"), {}, "It never had a name.") &&
      r.then(says(3, "still here?"), {{4, {"c: still here?"}}}, "Two are left.") &&
      r.then(left(4, "too slow"), {{3, {"* d left (too slow)"}}}, "One is left.") &&
      r.then(left(3), {}, "Nobody is left.") && r.calls(3, std::nullopt);
}

// Rule: the room believes no event of somebody who is not there.
TEST(Room, IgnoresWhoIsNotThere) {
  explain({.rule = "Events of clients that have not joined, or have left, change nothing; neither "
                   "does a second joined.",
           .why = "While a server takes its turn, a client can leave between two of its lines.",
           .read = "Your task"});
  const char* rule = "Nobody gets anything, and nothing changes.";
  Scenario s;
  InARoom r(s);
  r.has(1, "ada");
  r.has(2, "bob");
  r.given({left(2, "connection lost")});
  r.then(says(2, "my last words"), {}, rule) && r.then(left(2), {}, rule) &&
      r.then(says(9, "zoe"), {}, rule) && r.calls(9, std::nullopt) && r.then(left(9), {}, rule) &&
      r.then(joined(1), {}, rule) && r.calls(1, "ada") &&
      r.then(joined(3), {{3, {"* your name?"}}}, "This one is new.") &&
      r.then(joined(3), {}, rule) &&
      r.then(says(3, "bob"), {{3, {"* here: ada"}}, {1, {"* bob joined"}}},
             "All that was ignored has left no trace.") &&
      r.then(left(3), {{1, {"* bob left"}}}, "It was there once, however often it joined.") &&
      r.then(says(1, "alone"), {}, "Nobody else is there.");
}

// Rule: a room is a value: a copy goes its own way.
TEST(Room, IsAPlainValue) {
  explain({.rule = "A copy of a room has the same people in it and goes its own way from there on.",
           .why = "Rules without sockets can be copied, tried, and thrown away.",
           .read = "Your task"});
  Scenario s;
  InARoom r(s), other(s);
  r.has(1, "ada");
  r.has(2, "bob");
  r.given({joined(3)});
  other.has(1, "zoe");
  std::vector<course::Outgoing> heard;
  s.run([&] {
    course::Room copy(*r.room());
    *other.room() = *r.room();  // assigned,
    heard = copy.handle(says(1, "hi"));
    (void)copy.handle(left(2));                              // and a copy that goes its own way
    *other.room() = course::Room(std::move(*other.room()));  // moved there and back
    const course::Room& same = *other.room();
    *other.room() = same;  // assigned to itself
  });
  if (!expect_that(heard == std::vector<course::Outgoing>{{2, "ada: hi"}},
                   format("A room with ada and bob was copied. In the copy, made by the "
                          "constructor, ada said \"hi\", and %zu lines came out instead of one, "
                          "\"ada: hi\" for bob.",
                          heard.size())))
    return;
  note(
      "Just then a copy was assigned to a room that had been moved from. There is nothing left in "
      "that one to assign to: give it a new State");
  s.run([&] {
    const course::Room kept(std::move(*other.room()));
    *other.room() = kept;
  });
  note({});
  r.then(says(1, "hello"), {{2, {"ada: hello"}}}, "bob left a copy of the room, not this one.") &&
      other.calls(1, "ada") && other.calls(2, "bob") &&
      other.then(says(3, "carol"),
                 {{3, {"* here: ada bob"}}, {1, {"* carol joined"}}, {2, {"* carol joined"}}},
                 "This room is a copy: ada and bob are here, and client 3 has no name yet.") &&
      r.calls(3, std::nullopt);
}
