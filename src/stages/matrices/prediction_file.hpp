#pragma once
#include <filesystem>
#include <memory>

#include "cinecortex/core/types.hpp"
#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::stages::matrices {

/// A float32 matrix [rows, columns] that ranks write in blocks, in whatever the file's ending says: .npy, or
/// HDF5 with the data set /prediction. It is `<name>.partial` until commit().   Collective: over comm, all of
/// it.
class PredictionFile {
 public:
  virtual ~PredictionFile() = default;
  /// Every rank its block, which may be empty.
  virtual void write(const MatrixF& block, Index row, Index column) = 0;
  virtual void commit() = 0;
};

std::unique_ptr<PredictionFile> make_prediction_file(const std::filesystem::path& file, Index rows,
                                                     Index columns, const parallel::Communicator& comm);

}  // namespace cinecortex::stages::matrices
