#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "cinecortex/core/types.hpp"
#include "cinecortex/parallel/communicator.hpp"

/// HDF5 without its C API: RAII handles, errors that name file and data set, float32/float64/float16 data of
/// any rank up to 3, attributes, dimension scales, and collective parallel output. No transfer exceeds 1 GiB.
namespace cinecortex::io {

enum class Stored { float16, float32, float64, int64, other };

struct DatasetInfo {
  std::string path;
  std::vector<Index> shape;
  Stored type = Stored::other;
};

using Attribute =
    std::variant<std::int64_t, double, std::string, std::vector<double>, std::vector<std::string>>;

/// An HDF5 file opened for reading by this process alone. Threads may read at the same time, this file or others: they
/// take turns, since HDF5 built for MPI admits one.   Collective: no.
class Hdf5Reader {
 public:
  /// @throws InputError: missing, truncated or not HDF5 (names the file).
  explicit Hdf5Reader(const std::filesystem::path& file);
  ~Hdf5Reader();
  Hdf5Reader(Hdf5Reader&&) noexcept;
  Hdf5Reader& operator=(Hdf5Reader&&) noexcept;

  const std::filesystem::path& file() const noexcept;
  bool contains(const std::string& path) const;
  bool is_group(const std::string& path) const;  ///< false for a data set and where nothing is
  std::vector<std::string> children(const std::string& group = "/") const;  ///< names, sorted
  DatasetInfo info(const std::string& path) const;                          ///< @throws InputError if missing
  /// Rows × columns of a 2-D data set (a 1-D one is a column), converted to Scalar (float or double) by HDF5.
  template <class Scalar>
  Matrix<Scalar> read(const std::string& path, Range rows, Range columns) const;
  template <class Scalar>
  Matrix<Scalar> read(const std::string& path) const;
  VectorD read_vector(const std::string& path) const;
  std::vector<std::string> read_strings(const std::string& path) const;
  std::optional<Attribute> attribute(const std::string& path, const std::string& name) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct DatasetOptions {
  Stored type = Stored::float32;
  std::map<std::string, Attribute> attributes;  ///< at least "description" or "units"
  /// Per axis the path of a 1-D dataset of this file to attach as dimension scale, or a bare label, or "".
  std::vector<std::string> dimensions;
};

/// Tells whether this rank's writes really were collective, for tests and the debug log.
struct TransferReport {
  Index writes = 0;         ///< calls of H5Dwrite, the same number on every rank
  Index collective = 0;     ///< of them, done collectively by MPI-IO
  Index largest_bytes = 0;  ///< this rank's largest single transfer
};

struct WriterOptions {
  /// Most that one rank hands over in one call, at most 1 GiB. The default is enough to fill a parallel file
  /// system's stripes, and little enough to hold a converted copy of in memory.
  Index transfer_bytes = Index{128} << 20;
  /// Reads every block back and compares. Always done where the file system cannot reserve space.
  bool verify = false;
};

/// A new HDF5 file that all ranks of a communicator write together. It is `<name>.partial` until commit().
/// Every method, the destructor included, is collective over the communicator given unless it says otherwise;
/// arguments must agree on all ranks except data. An error is the same on every rank. A file that is destroyed
/// without commit() leaves only its .partial, which the next writer of that name replaces. While an exception
/// unwinds, the destructor calls nothing collective: MPI_Finalize then closes the .partial.
/// A full disk: Open MPI's MPI-IO reports none; its collective writes "succeed", or wait for ever. So the space of a
/// data set is taken when it is created; where the file system can only be filled for that, blocks are read back too.
class Hdf5Writer {
 public:
  /// Creates folders as needed. `attributes` go to the root; cinecortex_version and created are added.
  /// @throws InputError naming the file and the reason (no permission, disk full, …), on every rank alike.
  Hdf5Writer(const std::filesystem::path& file, const parallel::Communicator& comm,
             const std::map<std::string, Attribute>& attributes, const WriterOptions& options = {});
  ~Hdf5Writer();
  Hdf5Writer(const Hdf5Writer&) = delete;
  Hdf5Writer& operator=(const Hdf5Writer&) = delete;

  void create(const std::string& path, const std::vector<Index>& shape, const DatasetOptions& options);
  /// Each rank writes its block at (row, column) of a created 1-D/2-D data set; blocks must not overlap; an
  /// empty block takes part and writes nothing. Data are converted to the stored type beforehand, since HDF5
  /// would convert only by giving up the collective transfer.
  /// @throws InputError: a finite value that the stored type cannot hold (names row, column, value); a failed
  /// write
  template <class Scalar>
  void write(const std::string& path, const ConstView<Scalar>& block, Index row, Index column);
  /// The same for a 1-D data set.
  void write_vector(const std::string& path, const VectorD& block, Index begin);
  /// Small data: created and written in one go; rank 0's values and shape count. Texts get a fixed length
  /// (HDF5 cannot write others in parallel).
  void put(const std::string& path, const MatrixD& values, const DatasetOptions& options);
  void put(const std::string& path, const VectorD& values, const DatasetOptions& options);
  void put(const std::string& path, const std::vector<std::string>& values, const DatasetOptions& options);
  void set_attribute(const std::string& path, const std::string& name, const Attribute& value);

  /// Flushes, closes, agrees that it worked on every rank and that the file can be read, then rank 0 renames it
  /// to its final name.
  void commit();
  TransferReport report() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

std::string hdf5_version();

}  // namespace cinecortex::io
