#include "batching.hpp"

#include <ATen/DeviceAccelerator.h>
#include <c10/core/Device.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <string_view>

#include "cinecortex/core/error.hpp"
#include "cinecortex/core/interrupt.hpp"
#include "cinecortex/core/log.hpp"
#include "cinecortex/core/memory.hpp"

namespace cinecortex::models {

std::int64_t free_device_bytes(const std::string& device) {
  const c10::Device parsed(device);
  if (parsed.is_cpu()) return available_bytes();
  return static_cast<std::int64_t>(at::accelerator::getMemoryInfo(parsed.index()).first);
}

Index fitting_batch(std::int64_t free_bytes, std::int64_t bytes_per_item, Index most) {
  return std::clamp<Index>(free_bytes / 2 / bytes_per_item, 1, most);
}

Index batch_size(std::int64_t option, const std::string& device, std::int64_t bytes_per_item, Index most) {
  if (option > 0) return option;
  return device == "cpu" ? 1 : fitting_batch(free_device_bytes(device), bytes_per_item, most);
}

bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr) return true;
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return true;
  // The CPU's allocator has no type of its own for this.
  return dynamic_cast<const c10::Error*>(&error) != nullptr &&
         std::string_view(error.what()).find("can't allocate memory") != std::string_view::npos;
}

void Batches::run(Index items, const std::function<void(Range)>& work) {
  for (Index begin = 0; begin < items;) {
    interrupt::check();  // a chunk of TRs through a network takes minutes, more than a job is given to end
    const Range batch{begin, std::min(begin + size_, items)};
    try {
      work(batch);
      begin = batch.end;
    } catch (const std::exception& error) {
      if (!is_out_of_memory(error)) throw;
      if (batch.size() == 1) {
        throw Error(fmt::format("{}: memory ran out with a batch of one; {}", what_, memory_advice));
      }
      size_ = batch.size() / 2;
      log::warn("{}: memory ran out with {} TRs at once; going on with {}", what_, batch.size(), size_);
    }
  }
}

}  // namespace cinecortex::models
