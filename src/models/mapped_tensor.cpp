#include "mapped_tensor.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <cstring>

namespace cinecortex::models {
namespace {

at::ScalarType scalar_type(io::TensorType type) {
  switch (type) {
    case io::TensorType::float64:
      return at::kDouble;
    case io::TensorType::float32:
      return at::kFloat;
    case io::TensorType::float16:
      return at::kHalf;
    case io::TensorType::bfloat16:
      return at::kBFloat16;
    case io::TensorType::int64:
      return at::kLong;
    case io::TensorType::int32:
      return at::kInt;
    case io::TensorType::int16:
      return at::kShort;
    case io::TensorType::int8:
      return at::kChar;
    case io::TensorType::uint8:
      return at::kByte;
    case io::TensorType::boolean:
      return at::kBool;
  }
  throw Error("internal: a tensor type without a name");
}

}  // namespace

at::Tensor mapped_tensor(const io::StoredTensor& stored) {
  const auto options = at::TensorOptions().dtype(scalar_type(stored.type));
  const auto address = reinterpret_cast<std::uintptr_t>(stored.bytes.data());
  if (address % static_cast<std::uintptr_t>(io::item_bytes(stored.type)) != 0) {
    auto copy = at::empty(stored.shape, options);
    std::memcpy(copy.data_ptr(), stored.bytes.data(), stored.bytes.size());
    return copy;
  }
  auto* values = const_cast<std::byte*>(stored.bytes.data());  // from_blob takes no const pointer
  return at::from_blob(
      values, stored.shape, [owner = stored.owner](void*) {}, options);
}

}  // namespace cinecortex::models
