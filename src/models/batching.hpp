#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "cinecortex/core/types.hpp"
#include "options.hpp"

/// How many TRs go through a network at once.
namespace cinecortex::models {

/// What the device could still give: free memory of the GPU, or of the node for "cpu".   Collective: no.
std::int64_t free_device_bytes(const std::string& device);

/// What can be done where memory runs out.
constexpr const char* memory_advice =
    "allowed: type = \"bfloat16\" (half of float32), fewer ranks on the node or the GPU, gpus = N (layers "
    "split over N of the "
    "rank's GPUs), a smaller model";

/// @return as many items as half of the free memory holds, from 1 to `most`.   @pre bytes_per_item > 0.   Collective: no.
Index fitting_batch(std::int64_t free_bytes, std::int64_t bytes_per_item, Index most);

/// What the option asks for. For 0: on a GPU what fits, up to `most`, which keeps it busy; on the CPU 1, for there several
/// are no faster (benchmarks/README.md), and rows are then the same to the last bit in any chunks.   Collective: no.
Index batch_size(std::int64_t option, const std::string& device, std::int64_t bytes_per_item, Index most);

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
