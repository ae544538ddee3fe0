// Which descriptors were watched, and for what, held against what was asked.
#include <algorithm>
#include <initializer_list>

#include "scenario/waiting.hpp"
#include "simulation/text.hpp"

namespace grader {
namespace {

using Members = std::vector<int> Watched::*;

struct ListName {
  Members list;
  const char* purpose;  // "watched for ..."
  const char* name;     // "your ... list"
};
constexpr ListName list_names[] = {
    {&Watched::reading, "reading", "read"},
    {&Watched::writing, "writing", "write"},
    {&Watched::exceptional, "exceptional conditions", "exceptional"},
};

bool contains(const std::vector<int>& list, int fd) {
  return std::find(list.begin(), list.end(), fd) != list.end();
}

bool stands_anywhere(const Watched& watched, int fd) {
  return std::any_of(std::begin(list_names), std::end(list_names),
                     [&](const ListName& n) { return contains(watched.*n.list, fd); });
}

int highest_of(const std::vector<int>& list) {
  return list.empty() ? -1 : *std::max_element(list.begin(), list.end());
}

bool was_ever_watched(const Waits& waits, Members list, int fd) {
  return std::any_of(waits.begin(), waits.end(),
                     [&](const WaitingCall& wait) { return contains(wait.watched.*list, fd); });
}

bool fits_into_a_set(int fd) { return fd >= 0 && fd < FD_SETSIZE; }

// Sorted, as in the calls.
Watched what_was_asked(const Asked& asked) {
  Watched result{asked.reading, asked.writing, asked.exceptional};
  for (const ListName& n : list_names) {
    std::vector<int>& list = result.*n.list;
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
  }
  return result;
}

// Those that fit into a set.
std::vector<int> all_of(const Watched& watched) {
  std::vector<int> all;
  for (const ListName& n : list_names)
    all.insert(all.end(), (watched.*n.list).begin(), (watched.*n.list).end());
  std::erase_if(all, [](int fd) { return !fits_into_a_set(fd); });
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

// A descriptor that nobody asked about and that is not open.
std::string stray_bad_descriptor(const Waits& waits, const Watched& asked) {
  for (const WaitingCall& wait : waits)
    for (const int fd : wait.not_open)
      if (!stands_anywhere(asked, fd))
        return wait.is_poll()
                   ? format(
                         "You also asked %s about %d, which nobody asked you about and which is "
                         "not open. Give it only the entries that you have filled in.",
                         wait.function.c_str(), fd)
                   : format(
                         "Your sets also held %d, which nobody asked you about and which is not "
                         "open, so %s said EBADF. Start every set with FD_ZERO.",
                         fd, wait.function.c_str());
  return {};
}

// The same closed descriptor, again and again.
std::string closed_descriptor_kept(const Waits& waits, const Watched& asked) {
  constexpr std::size_t too_often = 3;
  std::size_t times = 0;
  const WaitingCall* before = nullptr;
  for (const WaitingCall& wait : waits) {
    const bool is_bad = !wait.not_open.empty();
    const bool is_same = is_bad && before != nullptr && before->not_open == wait.not_open &&
                         before->watched == wait.watched;
    times = is_same ? times + 1 : (is_bad ? 1 : 0);
    before = &wait;
    if (times == too_often) {
      const bool is_all = all_of(asked) == wait.not_open;  // then nothing else is to be watched
      return format("You watched descriptor %d, which is not open, again and again: %s says %s %s.",
                    wait.not_open.front(), wait.function.c_str(),
                    wait.is_poll() ? "POLLNVAL" : "EBADF",
                    is_all ? "each time" : "until you take it out of the list");
    }
  }
  return {};
}

std::string nfds_sentence(const WaitingCall& wait, int fd, Members list, const Watched& asked) {
  const std::vector<int> all = all_of(asked);
  const std::size_t entries =
      asked.reading.size() + asked.writing.size() + asked.exceptional.size();
  const auto nfds = wait.nfds;
  const auto is_count = [&](std::size_t count) { return nfds == static_cast<long>(count); };
  const std::string looked = nfds == 0   ? "looked at no descriptor at all"
                             : nfds == 1 ? format("looked at 0 and not at %d", fd)
                                         : format("looked at 0 to %ld and not at %d", nfds - 1, fd);
  std::string kind;
  if (nfds != fd && nfds > 0) {
    for (const ListName& n : list_names)
      if (n.list != list && nfds == highest_of(asked.*n.list) + 1)
        kind = format(", which covers your %s list only", n.name);
    if (kind.empty() && (is_count(all.size()) || is_count(entries)))
      kind = ", the number of descriptors";
  }
  const char* right = all.size() == 1 ? "descriptor" : "highest descriptor of all three lists";
  return format("You passed nfds %ld%s, so %s %s. Pass the %s plus one: %d.", nfds, kind.c_str(),
                wait.function.c_str(), looked.c_str(), right, all.back() + 1);
}

std::string nfds_too_small(const Waits& waits, const Watched& asked) {
  for (const WaitingCall& wait : waits) {
    if (!wait.is_poll() && wait.nfds < 0)
      return format(
          "You passed nfds %ld, which %s refuses with EINVAL. nfds is the highest "
          "descriptor plus one, or 0.",
          wait.nfds, wait.function.c_str());
    for (const ListName& n : list_names)
      for (const int fd : asked.*n.list)
        if (contains(wait.overlooked.*n.list, fd) && !was_ever_watched(waits, n.list, fd))
          return nfds_sentence(wait, fd, n.list, asked);
  }
  return {};
}

std::string set_not_filled_again(const Waits& waits, const Watched& asked) {
  for (std::size_t i = 1; i < waits.size(); ++i) {
    const WaitingCall &before = waits[i - 1], &wait = waits[i];
    if (before.is_poll() || wait.is_poll() || before.value < 0 || wait.watched != before.found)
      continue;
    for (const ListName& n : list_names)
      for (const int fd : asked.*n.list)
        if (contains(before.watched.*n.list, fd) && !contains(wait.watched.*n.list, fd))
          return format(
              "%s leaves only what is ready in its sets. You called it again with the "
              "sets as it had left them, so it no longer looked at %d. Fill them before "
              "every call.",
              wait.function.c_str(), fd);
  }
  return {};
}

std::string lists_swapped(const Waits& waits, const Watched& asked) {
  for (const WaitingCall& wait : waits)
    for (const ListName& wanted : list_names)
      for (const int fd : asked.*wanted.list)
        for (const ListName& used : list_names)
          if (contains(wait.watched.*used.list, fd) && !contains(asked.*used.list, fd) &&
              !was_ever_watched(waits, wanted.list, fd))
            return format("You were asked about %d for %s, and you watched it for %s.", fd,
                          wanted.purpose, used.purpose);
  return {};
}

std::string never_watched(const Waits& waits, const Watched& asked) {
  if (waits.empty()) return {};
  for (const ListName& n : list_names)
    for (const int fd : asked.*n.list)
      if (fits_into_a_set(fd) && !was_ever_watched(waits, n.list, fd))
        return format("You were asked about %d for %s, and you never watched it for that.", fd,
                      n.purpose);
  return {};
}

// `is_decisive`: and it ended the wait.
std::string watched_unasked(const Waits& waits, const Watched& asked, bool is_decisive) {
  for (const WaitingCall& wait : waits)
    for (const ListName& n : list_names)
      for (const int fd : wait.watched.*n.list) {
        if (contains(asked.*n.list, fd)) continue;
        const bool is_found = wait.value > 0 && contains(wait.found.*n.list, fd);
        if (is_decisive && !is_found) continue;
        const char* consequence = is_found ? ", and it ended the wait" : "";
        const char* advice =
            stands_anywhere(asked, fd) || wait.is_poll() ? "" : " Start every set with FD_ZERO.";
        return format("You watched %d for %s, which nobody asked you about%s.%s", fd, n.purpose,
                      consequence, advice);
      }
  return {};
}

std::string first_of(std::initializer_list<std::string> texts) {
  for (const std::string& text : texts)
    if (!text.empty()) return text;
  return {};
}

std::string plain_mistake(const Waits& waits, const Watched& asked) {
  return first_of({stray_bad_descriptor(waits, asked), closed_descriptor_kept(waits, asked),
                   nfds_too_small(waits, asked), set_not_filled_again(waits, asked),
                   lists_swapped(waits, asked), never_watched(waits, asked),
                   watched_unasked(waits, asked, true)});
}

}  // namespace

std::string diagnose_descriptors(const Waits& waits, const Asked& asked_lists) {
  if (is_real_time()) return {};
  const Watched asked = what_was_asked(asked_lists);
  return first_of({plain_mistake(waits, asked), watched_unasked(waits, asked, false)});
}

std::string diagnose(const Waits& waits, const Asked& asked_lists) {
  if (is_real_time()) return {};
  const Watched asked = what_was_asked(asked_lists);
  return first_of({plain_mistake(waits, asked), diagnose_time(waits, asked_lists.time),
                   watched_unasked(waits, asked, false)});
}

}  // namespace grader
