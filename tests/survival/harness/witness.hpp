/// @file
/// The healthy clients, for whose sake all this is asked.
#pragma once

#include <memory>
#include <string>

#include "client.hpp"
#include "server.hpp"

namespace survival {

/// Clients that talk with the server as they should, and hold it to its answers.
class Witness {
 public:
  virtual ~Witness() = default;

  /// Says something, one line of 500 bytes after the other, and waits for what is to come of the
  /// last. False when it does not come in time.
  [[nodiscard]] virtual bool ask(int lines = 1) = 0;

  /// They leave as one should: one after the other, each when the server has seen the last one go.
  virtual void leave() = 0;

  /// Asks twice: then the server has seen everything that was sent to it before.
  [[nodiscard]] bool settle() { return ask() && ask(); }
};

/// New clients of their own: of an echo server one, of a chat two. Throws Broken(nobody_enters)
/// when they are not served.
[[nodiscard]] std::unique_ptr<Witness> new_witness(const Server& server);

/// A client whom the server knows: connected, and has sent its name where names are used.
[[nodiscard]] Client new_client(const Server& server, int receive_buffer_bytes = 0);

/// A name that nobody has yet.
[[nodiscard]] std::string new_name();

}  // namespace survival
