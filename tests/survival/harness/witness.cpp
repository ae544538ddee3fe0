#include "witness.hpp"

namespace survival {
namespace {

constexpr std::size_t line_bytes = 500;

/// The questions of one witness, numbered, each of the same length.
class Questions {
 public:
  std::string next(int lines) {
    std::string text;
    for (int i = 0; i < lines; ++i) {
      last_ = std::to_string(++count_) + ' ';
      last_.append(line_bytes - 1 - last_.size(), '.');
      text += last_ + '\n';
    }
    return text;
  }

  [[nodiscard]] const std::string& last() const { return last_; }

 private:
  int count_ = 0;
  std::string last_{};
};

class EchoWitness : public Witness {
 public:
  explicit EchoWitness(const Server& server) : client_(server.address()) {}

  bool ask(int lines) override {
    return client_.send(questions_.next(lines)) && client_.hears(questions_.last());
  }

  void leave() override { client_.close(); }

 private:
  Client client_;
  Questions questions_{};
};

class ChatWitness : public Witness {
 public:
  explicit ChatWitness(const Server& server) : speaker_(server), listener_(server) {
    promise(have_met(), verdict::nobody_enters);
  }

  bool ask(int lines) override {
    if (!speaker_.client.send(questions_.next(lines))) return false;
    (void)speaker_.client.take();
    speaker_.client.forget();
    return listener_.client.hears(speaker_.name + ": " + questions_.last());
  }

  void leave() override {
    speaker_.client.half_close();
    promise(listener_.client.hears("* " + speaker_.name + " left"), verdict::bytes_lost);
    listener_.client.half_close();
  }

 private:
  struct Guest {
    explicit Guest(const Server& server) : client(server.address()) {
      (void)client.send(name + '\n');
    }
    bool sees(const Guest& other) {
      (void)client.take();
      return client.hears("* " + other.name + " joined", Patience(milliseconds::zero()));
    }
    std::string name = new_name();
    Client client;
  };

  // The one who came first is told of the other; who that is, is the server's choice.
  bool have_met() {
    return becomes([this] { return speaker_.sees(listener_) || listener_.sees(speaker_); });
  }

  Guest speaker_, listener_;
  Questions questions_{};
};

}  // namespace

std::string new_name() {
  static int count = 0;
  return 'n' + std::to_string(++count);
}

Client new_client(const Server& server, int receive_buffer_bytes) {
  Client client(server.address(), receive_buffer_bytes);
  if (server.kind() == Kind::chat) (void)client.send(new_name() + '\n');
  return client;
}

std::unique_ptr<Witness> new_witness(const Server& server) {
  std::unique_ptr<Witness> witness;
  if (server.kind() == Kind::echo) witness = std::make_unique<EchoWitness>(server);
  if (server.kind() == Kind::chat) witness = std::make_unique<ChatWitness>(server);
  promise(witness->ask(), verdict::nobody_enters);
  return witness;
}

}  // namespace survival
