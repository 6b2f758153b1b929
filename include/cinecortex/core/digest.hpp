#pragma once
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace cinecortex {

/// A 128-bit fingerprint (XXH3) of everything fed to it, for "are these the same inputs and settings".
/// Fields are framed by their length, so that ("ab","c") and ("a","bc") differ. Not cryptographic.
class Digest {
 public:
  Digest();
  ~Digest();
  Digest& add(std::string_view text);
  Digest& add(double value);
  Digest& add(std::int64_t value);
  Digest& add(std::span<const std::byte> bytes);
  std::string hex() const;  ///< 32 lower-case digits

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Fingerprint of a file: its size and its content; of a file above 4 MiB 64 samples of 64 KiB spread over
/// it, first and last included. Moving or touching a file does not change it.
/// @throws InputError naming the file, if it cannot be read.
std::string file_digest(const std::filesystem::path& file);

}  // namespace cinecortex
