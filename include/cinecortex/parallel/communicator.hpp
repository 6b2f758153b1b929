#pragma once
#ifndef OMPI_SKIP_MPICXX
#define OMPI_SKIP_MPICXX
#endif
#include <mpi.h>

#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "cinecortex/core/error.hpp"
#include "cinecortex/core/types.hpp"

namespace cinecortex::parallel {

/// An MPI call failed: nothing can be agreed any more, main aborts the job.
class CommunicationError : public Error {
 public:
  using Error::Error;
};

/// Starts MPI (MPI_THREAD_MULTIPLE, which WorkQueue needs) and ends it. One, in main.
class Environment {
 public:
  Environment(int& argc, char**& argv);
  ~Environment();  ///< no MPI_Finalize while an exception unwinds: that would wait for ranks that are gone
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  int exceptions_;
};

/// A group of ranks. Owns its MPI communicator (a duplicate), so that libraries cannot mix messages.
/// Sizes are 64-bit; transfers above 1 GiB are cut into pieces, the same on every rank.
class Communicator {
 public:
  static Communicator world();  ///< Collective: over all ranks. For main and tests only.
  Communicator(Communicator&& other) noexcept;
  Communicator& operator=(Communicator&& other) noexcept;
  ~Communicator();

  int rank() const noexcept { return rank_; }
  int size() const noexcept { return size_; }
  bool root() const noexcept { return rank_ == 0; }
  MPI_Comm handle() const noexcept { return comm_; }

  // All below: collective over this communicator.
  Communicator duplicate() const;
  Communicator split(int colour, int key) const;
  Communicator node() const;  ///< the ranks that share this rank's memory

  void barrier() const;
  template <class T>
  void broadcast(std::span<T> values, int root = 0) const;  ///< same size on every rank
  void broadcast(std::string& text, int root = 0) const;    ///< any size
  void sum(std::span<double> values) const;                 ///< in place, result on every rank
  void sum(std::span<std::int64_t> values) const;
  double sum(double value) const;
  std::int64_t sum(std::int64_t value) const;
  double max(double value) const;
  double min(double value) const;
  std::int64_t max(std::int64_t value) const;
  std::int64_t min(std::int64_t value) const;
  std::vector<std::string> gather(const std::string& text) const;  ///< every rank's text, on every rank
  /// Every rank's values one after the other in rank order, on every rank.
  template <class T>
  std::vector<T> gather(std::span<const T> values) const;

 private:
  explicit Communicator(MPI_Comm owned);
  void broadcast_bytes(void* data, std::size_t bytes, int root) const;
  std::vector<std::byte> gather_bytes(std::span<const std::byte> bytes) const;
  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 1;
};

/// Name of the node that this process runs on.   Collective: no.
std::string node_name();

/// @throws CommunicationError naming `call`, if `code` is not MPI_SUCCESS.
void check_mpi(int code, const char* call);

template <class T>
void Communicator::broadcast(std::span<T> values, int root) const {
  static_assert(std::is_trivially_copyable_v<T>);
  broadcast_bytes(values.data(), values.size_bytes(), root);
}

template <class T>
std::vector<T> Communicator::gather(std::span<const T> values) const {
  static_assert(std::is_trivially_copyable_v<T>);
  const auto bytes = gather_bytes(std::as_bytes(values));
  std::vector<T> result(bytes.size() / sizeof(T));
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::byte*>(result.data()));
  return result;
}

}  // namespace cinecortex::parallel
