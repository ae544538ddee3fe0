#include "simulation/recorder.hpp"

#include "libc/caller_filter.hpp"
#include "libc/handler_watch.hpp"
#include "simulation/text.hpp"

namespace grader {

Recorder::Call Recorder::begin(const char* function, int fd, const std::string& text,
                               const std::string& who) {
  const Call call = recording_.count;
  Entry& entry = recording_.open(Side::program, clock_.now().count());
  entry.fd = fd;
  put(entry.function, function);
  put(entry.who, who);
  put(entry.call, text);
  put(entry.by, handler_depth > 0 ? "handler" : other_thread != nullptr ? other_thread : "");
  return call;
}

Answer Recorder::done(Call call, long value, const std::string& text) {
  if (call >= recording_.first()) {
    Entry& entry = recording_.entries[call % Recording::entries_max];
    entry.end_ns = clock_.now().count();
    entry.end_sequence = recording_.count;
    entry.value = value;
    put(entry.result, text);
  }
  return {value, 0};
}

Answer Recorder::failed(Call call, int error, const std::string& remark) {
  done(call, -1, "-1 " + error_name(error) + (remark.empty() ? "" : " (" + remark + ")"));
  if (call >= recording_.first()) recording_.entries[call % Recording::entries_max].error = error;
  return {-1, error};
}

void Recorder::peer(const std::string& who, const char* function, const std::string& text,
                    long value) {
  note(Side::peer, who, function, text, value);
}

void Recorder::fault(const std::string& text) { note(Side::fault, {}, "fault", text, 0); }

void Recorder::note(Side side, const std::string& who, const char* function,
                    const std::string& text, long value) {
  Entry& entry = recording_.open(side, clock_.now().count());
  entry.end_ns = entry.start_ns;
  entry.end_sequence = recording_.count;
  entry.value = value;
  put(entry.function, function);
  put(entry.who, who);
  put(entry.call, text);
}

}  // namespace grader
