#include <fmt/format.h>

#include <string>

#include "cinecortex/io/npy.hpp"
#include "cinecortex/io/pickle.hpp"
#include "output_file.hpp"

namespace cinecortex::io {
namespace {

using namespace std::string_literals;

// Pickle protocol 3, as numpy.save writes a 0-d array of one object: reconstruct an ndarray, give it its
// state (version, shape (), dtype O8, C order, [the dict]). Names as NumPy 1 has them, which NumPy 2 reads as
// well.
const std::string array_opening =
    "\x80\x03"s
    "cnumpy.core.multiarray\n_reconstruct\n"
    "cnumpy\nndarray\n"
    "K\0\x85"
    "C\x01"
    "b\x87R("
    "K\x01)"
    "cnumpy\ndtype\nX\x02\0\0\0O8\x89\x88\x87R"
    "(K\x03X\x01\0\0\0|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tb"
    "\x89]"s;
const std::string array_closing = "atb."s;

std::string little_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>((value >> shift) & 0xFF);
  return bytes;
}

std::string dict_of(const std::vector<std::pair<std::string, Index>>& counts) {
  std::string dict = "}(";
  for (const auto& [key, count] : counts) {
    dict += "X" + little_endian(checked_cast<std::uint32_t>(key.size())) + key;
    dict += "J" + little_endian(static_cast<std::uint32_t>(checked_cast<std::int32_t>(count)));
  }
  return dict + "u";
}

}  // namespace

void write_pickled_counts(const std::filesystem::path& file,
                          const std::vector<std::pair<std::string, Index>>& counts) {
  OutputFile output(file);
  output.write(npy_header("|O", {}));
  output.write(array_opening + dict_of(counts) + array_closing);
  output.finish();
}

}  // namespace cinecortex::io
