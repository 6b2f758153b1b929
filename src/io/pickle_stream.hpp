#pragma once
#include <span>
#include <string>
#include <string_view>

#include "cinecortex/core/types.hpp"
#include "output_file.hpp"

namespace cinecortex::io {

/// Writes opcodes of pickle protocol 4 (Python's pickletools describes them): the .npy that
/// `numpy.save(file, dict)` writes, read by NumPy 1 and 2. Streams; holds nothing.   Collective: no.
class PickleStream {
 public:
  /// Writes the .npy header and everything up to the empty dict, which stays open.
  explicit PickleStream(const std::filesystem::path& file);

  void text(std::string_view value);
  void integer(std::int64_t value);
  void float32_array(const MatrixF& values);
  void begin_dict() { raw("}"); }
  void set_item() { raw("s"); }  ///< dict, key, value → dict
  void finish();                 ///< ends the array and the file, and gives it its name

 private:
  void raw(std::string_view opcodes) { output_.write(opcodes); }
  template <class Number>
  void number(Number value) {
    output_.write(std::as_bytes(std::span(&value, 1)));
  }
  void remember(char place);
  void recall(char place);
  void define_global(std::string_view name, char place);
  void define_dtype(std::string_view code, std::string_view order, char flags, char place);
  void begin_array();

  OutputFile output_;
};

}  // namespace cinecortex::io
