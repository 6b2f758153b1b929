#pragma once
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "cinecortex/core/types.hpp"

/// Safetensors files made by tests.
namespace cinecortex::testing {

struct WrittenTensor {
  std::string name, dtype;  ///< dtype as the format names it, e.g. "F32"
  std::vector<Index> shape;
  std::string bytes;
};

template <class Scalar>
std::string bytes_of(const std::vector<Scalar>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Scalar)};
}

inline WrittenTensor float_tensor(std::string name, std::vector<Index> shape,
                                  const std::vector<float>& values) {
  return {std::move(name), "F32", std::move(shape), bytes_of(values)};
}

/// Header and data as they are: the header may lie.
inline std::string safetensors_of(const std::string& header, const std::string& data) {
  const std::uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), sizeof size) + header + data;
}

/// The bytes of a file of these tensors, one after the other.
inline std::string safetensors_of(const std::vector<WrittenTensor>& tensors) {
  std::string header = R"({"__metadata__":{"format":"pt"})", data;
  for (const auto& tensor : tensors) {
    header += fmt::format(R"(,"{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", tensor.name,
                          tensor.dtype, fmt::join(tensor.shape, ","), data.size(),
                          data.size() + tensor.bytes.size());
    data += tensor.bytes;
  }
  header += "}";
  while (header.size() % 8 != 0) header += ' ';
  return safetensors_of(header, data);
}

}  // namespace cinecortex::testing
