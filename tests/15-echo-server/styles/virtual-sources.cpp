// Style: the listener and each client are sources with virtual functions; the turn knows no more.
#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "11-non-blocking/non_blocking.hpp"
#include "12-write-when-ready/write_when_ready.hpp"
#include "15-echo-server/echo_server.hpp"
#include "given/wait_set.hpp"

namespace {

class Source {
 public:
  explicit Source(course::Fd fd) : fd_(std::move(fd)) {}
  virtual ~Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] virtual bool wants_to_read() const { return true; }
  [[nodiscard]] virtual bool wants_to_write() const { return false; }
  [[nodiscard]] virtual bool is_over() const { return false; }
  virtual void read() = 0;
  virtual void write() {}

 private:
  course::Fd fd_;
};

class Listener : public Source {
 public:
  Listener(course::Fd fd, std::function<void(course::Fd)> welcome)
      : Source(std::move(fd)), welcome_(std::move(welcome)) {}
  void read() override {
    constexpr int clients_max = 64;
    for (int i = 0; i < clients_max; ++i) {
      auto client = course::try_accept(fd());
      if (!client) return;
      welcome_(std::move(*client));
    }
  }

 private:
  std::function<void(course::Fd)> welcome_;
};

class EchoClient : public Source {
 public:
  using Source::Source;
  [[nodiscard]] bool wants_to_read() const override { return mode_ == Mode::open; }
  [[nodiscard]] bool wants_to_write() const override { return queue_.wants_write(); }
  [[nodiscard]] bool is_over() const override {
    return mode_ == Mode::failed || (mode_ == Mode::ended && !queue_.wants_write());
  }
  void read() override {
    std::byte piece[8'192];
    const auto result = course::try_recv(fd(), piece);
    if (result.status == course::IoStatus::eof) mode_ = Mode::ended;
    if (result.status == course::IoStatus::error) mode_ = Mode::failed;
    queue_.push(course::cbytes(piece, result.bytes));
    if (mode_ != Mode::failed) write();
  }
  void write() override {
    if (queue_.flush(fd()).status == course::IoStatus::error) mode_ = Mode::failed;
    if (mode_ == Mode::open && queue_.size() >= 65'536) mode_ = Mode::paused;
    if (mode_ == Mode::paused && queue_.size() <= 16'384) mode_ = Mode::open;
  }

 private:
  enum class Mode { open, paused, ended, failed };
  Mode mode_ = Mode::open;
  course::OutQueue queue_;
};

}  // namespace

struct course::EchoServer::State {
  std::vector<std::unique_ptr<Source>> sources;  // the listener first
  std::vector<std::unique_ptr<Source>> newcomers;
};

course::EchoServer::EchoServer(Fd listener) : state_(std::make_unique<State>()) {
  set_nonblocking(listener.get(), true);
  state_->sources.push_back(
      std::make_unique<Listener>(std::move(listener), [state = state_.get()](Fd fd) {
        if (WaitSet::fits(fd.get()))
          state->newcomers.push_back(std::make_unique<EchoClient>(std::move(fd)));
      }));
}

course::EchoServer::~EchoServer() = default;
course::EchoServer::EchoServer(EchoServer&&) noexcept = default;
course::EchoServer& course::EchoServer::operator=(EchoServer&&) noexcept = default;

void course::EchoServer::step(Deadline deadline, int wake_up) {
  auto& sources = state_->sources;
  WaitSet set;
  if (wake_up >= 0) set.add_reader(wake_up);
  for (const auto& source : sources) {
    if (source->wants_to_read()) set.add_reader(source->fd());
    if (source->wants_to_write()) set.add_writer(source->fd());
  }
  set.wait(deadline);
  const auto tidy = [&] {
    std::erase_if(sources, [](const auto& source) { return source->is_over(); });
    std::move(state_->newcomers.begin(), state_->newcomers.end(), std::back_inserter(sources));
    state_->newcomers.clear();
  };
  try {
    // Backwards: the listener, whose turn may throw, is the last.
    for (std::size_t i = sources.size(); i-- > 0;) {
      if (set.is_writable(sources[i]->fd())) sources[i]->write();
      if (set.is_readable(sources[i]->fd()) && !sources[i]->is_over()) sources[i]->read();
    }
  } catch (...) {
    tidy();
    throw;
  }
  tidy();
}

std::size_t course::EchoServer::connections() const noexcept { return state_->sources.size() - 1; }
