#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cinecortex/core/types.hpp"

namespace cinecortex::io {

class MappedFile;

/// A NumPy .npy file mapped for reading: 1-D (a column) or 2-D; float16/32/64, (u)int8…64, bool; C or Fortran
/// order; little-endian.   Collective: no.
class NpyFile {
 public:
  explicit NpyFile(
      const std::filesystem::path& file);  ///< @throws InputError (missing, truncated, type, rank)
  ~NpyFile();
  NpyFile(NpyFile&&) noexcept;
  NpyFile& operator=(NpyFile&&) noexcept;
  Index rows() const noexcept { return rows_; }
  Index columns() const noexcept { return columns_; }
  bool single() const noexcept;     ///< at most float32 precision
  template <class Scalar = double>  // float, double
  Matrix<Scalar> read(Range rows, Range columns) const;

 private:
  std::filesystem::path file_;
  Index rows_ = 0, columns_ = 0;
  char kind_ = 'f';
  int item_bytes_ = 4;
  bool fortran_ = false;
  std::unique_ptr<const MappedFile> map_;
  std::size_t data_offset_ = 0;
};

/// Header bytes of a C-order .npy (version 1.0); `descr` such as "<f4".
std::string npy_header(const std::string& descr, const std::vector<Index>& shape);

void write_npy(const std::filesystem::path& file, const MatrixF& values);
void write_npy(const std::filesystem::path& file, const MatrixD& values);

/// A matrix on disk, named on the command line: X.npy or file.h5:/path. Opened lazily, one handle a rank.
class MatrixFile {
 public:
  explicit MatrixFile(
      const std::string& where);  ///< @throws InputError: what is wrong, where, what is allowed
  ~MatrixFile();
  MatrixFile(MatrixFile&&) noexcept;
  Index rows() const;
  Index columns() const;
  const std::string& where() const;
  bool single() const;  ///< stored with at most float32's precision
  /// @throws InputError naming row and column of the first NaN or infinity.
  template <class Scalar = double>  // float, double
  Matrix<Scalar> read(Range rows, Range columns) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cinecortex::io
