#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "cinecortex/encoding/sweep.hpp"
#include "cinecortex/io/hdf5.hpp"
#include "sweep_plan.hpp"

namespace cinecortex::stages {

/// What one configuration reached for one subject.
struct SweepRow {
  std::string space, subject;  ///< both "" on matrices
  Index number = 0;            ///< among the cases of its unit
  SweepCase tried;
  Index folds = 0;
  std::string folds_by;  ///< "season" or "runs"
  Index rows = 0;
  VectorD r, alpha;  ///< this rank's targets
  Index targets_global = 0;
  // Over all targets, the same on every rank:
  double mean_r = 0, median_r = 0, median_alpha = 0;
  double edge_share = 0;  ///< targets whose alpha is the smallest or the largest of the grid
  double seconds = 0;
};

/// Puts a kernel's score into a row, with its summaries over all targets.   Collective: over comm.
void set_score(SweepRow& row, encoding::SweepScore score, const std::vector<double>& alphas,
               const parallel::Communicator& comm);

/// Writes rows, those of a unit one after the other, every rank its targets. `attributes` are added to the root's.
/// Collective: over comm.
void write_sweep(const std::filesystem::path& file, const std::vector<SweepRow>& rows,
                 const std::vector<double>& alphas, std::map<std::string, io::Attribute> attributes,
                 const parallel::Communicator& comm);

/// The rows of such a file, with this rank's targets.   Collective: no.
std::vector<SweepRow> read_sweep(const std::filesystem::path& file, const parallel::Communicator& comm);

/// The table as text: one line a row.   Collective: no.
std::string sweep_csv(const std::vector<SweepRow>& rows);

/// One configuration of a space, over its subjects.
struct SweepMean {
  SweepCase tried;
  double r = 0;  ///< mean over subjects and targets
  Index subjects = 0;
};

/// A space's configurations in their order.
/// @pre every subject has all of them
std::vector<SweepMean> sweep_means(const std::vector<SweepRow>& rows, const std::string& space);
std::vector<std::string> sweep_spaces(const std::vector<SweepRow>& rows);  ///< in the rows' order

/// The best; of equal ones that with fewer columns.   @pre not empty
const SweepMean& best_of(const std::vector<SweepMean>& means);

/// For people: the best few of each space.
std::string sweep_report(const std::vector<SweepRow>& rows);

}  // namespace cinecortex::stages
