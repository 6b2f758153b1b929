#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "cinecortex/core/types.hpp"

/// How many TRs go through a network at once.
namespace cinecortex::models {

/// What the device could still give: free memory of the GPU, or of the node for "cpu".   Collective: no.
std::int64_t free_device_bytes(const std::string& device);

/// Whether the tensor library gave up for want of memory, on the CPU or a GPU.   Collective: no.
bool is_out_of_memory(const std::exception& error);

/// Works through items in batches, and in half as large ones from where memory ran out on.   Not thread-safe.
/// Collective: no, none of it.
class Batches {
 public:
  /// @param what  of which model, for the message.     @pre size ≥ 1
  Batches(Index size, std::string what) : size_(size), what_(std::move(what)) {}

  /// @param work  gets [begin, end) of the items; called again with fewer of the same where memory ran out
  /// @throws Error where a single item does not fit: says what to do. Interrupted between batches, where asked to stop.
  void run(Index items, const std::function<void(Range)>& work);

  Index size() const noexcept { return size_; }  ///< now

 private:
  Index size_;
  std::string what_;
};

}  // namespace cinecortex::models
