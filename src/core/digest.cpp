#include "cinecortex/core/digest.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <cstring>
#include <fstream>
#include <vector>

#include "cinecortex/core/error.hpp"

namespace cinecortex {

struct Digest::State {
  XXH3_state_t* hash = XXH3_createState();
  State() { XXH3_128bits_reset(hash); }
  ~State() { XXH3_freeState(hash); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

Digest::Digest() : state_(std::make_unique<State>()) {}
Digest::~Digest() = default;

Digest& Digest::add(std::span<const std::byte> bytes) {
  const std::uint64_t size = bytes.size();
  XXH3_128bits_update(state_->hash, &size, sizeof size);
  XXH3_128bits_update(state_->hash, bytes.data(), bytes.size());
  return *this;
}
Digest& Digest::add(std::string_view text) {
  return add(std::as_bytes(std::span(text)));
}
Digest& Digest::add(double value) {
  return add(std::as_bytes(std::span(&value, 1)));
}
Digest& Digest::add(std::int64_t value) {
  return add(std::as_bytes(std::span(&value, 1)));
}

std::string Digest::hex() const {
  const XXH128_hash_t value = XXH3_128bits_digest(state_->hash);
  return fmt::format("{:016x}{:016x}", value.high64, value.low64);
}

std::string file_digest(const std::filesystem::path& file) {
  constexpr std::uintmax_t whole_bytes = 4u << 20, sample_bytes = 64u << 10, samples = 64;
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  std::ifstream in(file, std::ios::binary);
  if (error || !in) {
    throw InputError(fmt::format("{}: cannot be read ({})", file.string(),
                                 error ? error.message() : std::strerror(errno)));
  }
  Digest digest;
  digest.add(static_cast<std::int64_t>(size));
  std::vector<std::byte> buffer;
  const auto take = [&](std::uintmax_t offset, std::uintmax_t count) {
    buffer.resize(count);
    in.seekg(static_cast<std::streamoff>(offset));
    in.read(reinterpret_cast<char*>(buffer.data()), static_cast<std::streamsize>(count));
    if (!in) throw InputError(fmt::format("{}: read failed at byte {}", file.string(), offset));
    digest.add(buffer);
  };
  if (size <= whole_bytes) {
    take(0, size);
  } else {
    for (std::uintmax_t i = 0; i < samples; ++i)
      take((size - sample_bytes) / (samples - 1) * i, sample_bytes);
    take(size - sample_bytes, sample_bytes);
  }
  return digest.hex();
}

}  // namespace cinecortex
