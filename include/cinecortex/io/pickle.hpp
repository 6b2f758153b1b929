#pragma once
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cinecortex/core/types.hpp"

namespace cinecortex::io {

/// The Python objects a challenge's .npy files hold. Dicts keep their order.
struct PyValue;
using PyDict = std::vector<std::pair<std::string, PyValue>>;
struct PyArray {
  std::vector<Index> shape;
  std::string descr;             ///< e.g. "<f4"
  std::vector<std::byte> bytes;  ///< C order, little-endian
};
struct PyValue {
  std::variant<std::monostate, std::int64_t, double, std::string, PyArray, PyDict> value;
};

/// Reads a pickled .npy (a 0-d object array holding one dict) without executing anything: only the opcodes
/// and the few NumPy reconstructors that such files need are known, everything else is refused by name.
/// @throws InputError naming the file, the byte and the refused opcode or global.   Collective: no.
PyValue read_pickled_npy(const std::filesystem::path& file);
PyValue parse_pickle(std::span<const std::byte> pickle, const std::string& name);

/// Writes {name: int} as `numpy.save` would: the challenge's sample numbers. .partial until it is complete.
/// @throws InputError: a folder or file that cannot be written, a full disk.   Collective: no.
void write_pickled_counts(const std::filesystem::path& file,
                          const std::vector<std::pair<std::string, Index>>& counts);

/// Writes what `numpy.load(file, allow_pickle=True).item()` reads back: {subject: {run: float32 [N, t]}}.
class SubmissionWriter {
 public:
  explicit SubmissionWriter(
      const std::filesystem::path& file);  ///< `.npy`; written as .partial until finish()
  ~SubmissionWriter();
  void begin_subject(const std::string& subject);
  void add_run(const std::string& run, const MatrixF& prediction);
  void end_subject();
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Puts one file into a new .zip (deflated) under its own name. @throws InputError on a full disk and the
/// like.
void zip_file(const std::filesystem::path& zip, const std::filesystem::path& file);

}  // namespace cinecortex::io
