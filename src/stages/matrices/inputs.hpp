#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cinecortex/core/digest.hpp"
#include "cinecortex/encoding/block_source.hpp"
#include "cinecortex/encoding/design.hpp"
#include "cinecortex/io/npy.hpp"
#include "cinecortex/stages/matrices.hpp"

/// The user's own matrices as blocks of rows, and what all verbs on them begin with.
namespace cinecortex::stages::matrices {

/// Rows of one matrix that belong together: a block is this many TRs of one run.
struct Piece {
  std::string name;  ///< of the run
  Range run;         ///< the run's rows in the file
  Range rows;        ///< this piece, inside the run, counted from the run's first row
  Range file_rows() const { return {run.begin + rows.begin, run.begin + rows.end}; }
};

/// A piece a run. Without `groups` all rows are one run.
/// @param where  the matrix that the rows are of, for messages
/// @throws InputError: another number of labels than rows; a label that comes again after others. Collective:
/// no.
std::vector<Piece> read_runs(const std::string& groups, const io::MatrixFile& where);

/// What a design sees of runs that are whole.   Collective: no.
std::vector<encoding::RunExtent> extents(const std::vector<Piece>& runs);

/// The same rows in pieces of at most `most` rows.   Collective: no.
std::vector<Piece> cut(const std::vector<Piece>& pieces, Index most);

/// Leaves out the rows that the design cannot serve (edge `drop`), and pieces without rows.   Collective: no.
std::vector<Piece> usable(const std::vector<Piece>& runs, const encoding::Design& design);

/// How many rows of so many columns make a piece that is worth a matrix product and fits the memory of any
/// rank.
Index rows_per_piece(Index columns);

/// Pieces of a matrix file as blocks; with a design, feature rows become design rows, never across a run's
/// edge.
class MatrixSource final : public encoding::BlockSource {
 public:
  MatrixSource(const std::string& where, std::vector<Piece> pieces,
               std::optional<encoding::Design> design = {});
  Index blocks() const override { return static_cast<Index>(pieces_.size()); }
  Index rows(Index block) const override { return piece(block).rows.size(); }
  Index columns() const override;
  MatrixD read(Index block, Range columns) const override;
  bool single_precision() const override { return file_.single(); }
  MatrixF read_single(Index block, Range columns) const override;
  MatrixD read_rows(Index block, Range rows, Range columns) const override;
  MatrixF read_rows_single(Index block, Range rows, Range columns) const override;
  using BlockSource::read;
  std::string name(Index block) const override { return file_.where() + " run " + piece(block).name; }
  const Piece& piece(Index block) const { return pieces_[static_cast<std::size_t>(block)]; }

 private:
  template <class Scalar>
  Matrix<Scalar> read_piece(const Piece& part, Range columns) const;
  Piece part_of(Index block, Range rows) const;
  io::MatrixFile file_;
  std::vector<Piece> pieces_;
  std::optional<encoding::Design> design_;
};

/// @throws InputError naming both, if they differ in rows (or columns).   Collective: no.
void require_same_rows(const io::MatrixFile& a, const io::MatrixFile& b);
void require_same_shape(const io::MatrixFile& a, const io::MatrixFile& b);

/// Checks an output before hours are spent on it.
/// @param endings  allowed, e.g. {".h5"}
/// @throws InputError: another ending, one of the inputs, a folder, no permission.   Collective: no.
void check_output(const std::filesystem::path& output, const std::vector<std::string>& endings,
                  const std::vector<std::string>& inputs);

/// Fingerprint of a verb, its input files and its settings.   Collective: over comm.
/// @param add_settings  called on rank 0 only
std::string job_digest(const std::string& verb, const std::vector<std::string>& inputs,
                       const std::function<void(Digest&)>& add_settings, const parallel::Communicator& comm);

/// The summary of a job that needs no work: its output is there already, or this is a dry run.
/// @param plan  what would be done, a line for people
/// Collective: over comm.
std::optional<Summary> nothing_to_do(const std::string& verb, const std::filesystem::path& output,
                                     const std::string& digest, const Handling& handling,
                                     const std::string& plan, const parallel::Communicator& comm);

}  // namespace cinecortex::stages::matrices
