#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cinecortex/dataset/selector.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "cinecortex/stages/experiment.hpp"
#include "outputs.hpp"

namespace cinecortex::stages {

/// What every stage begins with: the data set, the roles of its runs, and where outputs go. The same on all ranks.
struct Context {
  dataset::Catalogue catalogue;
  dataset::Split split;
  std::vector<const dataset::Run*> runs;            ///< of any role, in the catalogue's order
  std::map<std::string, std::string> fmri_digests;  ///< of every fMRI file that a role uses
  Outputs outputs;

  const dataset::Run& run(const std::string& task) const;
  /// Runs of a role that this subject has fMRI for, in the catalogue's order.
  std::vector<const dataset::Run*> with_fmri(const std::vector<std::string>& role, int subject) const;
  std::vector<const dataset::Run*> of(const std::vector<std::string>& role) const;
};

/// Rank 0 looks at the data set; the others receive what it saw.
/// @throws InputError on every rank alike: data set, selectors, a split that leaks.   Collective: over comm.
Context make_context(const Config& config, const parallel::Communicator& comm);

/// Runs `fn`; an error of input or of a stage gets `where` in front ("space audio, sub-01"), and stays what it is.
template <class Fn>
auto naming_failures(const std::string& where, Fn&& fn) -> std::invoke_result_t<Fn> {
  try {
    return std::forward<Fn>(fn)();
  } catch (const InputError& e) {
    throw InputError(where + ": " + e.what());
  } catch (const StageError& e) {
    throw StageError(e.rank(), e.count(), where + ": " + e.what());
  } catch (const NumericalError& e) {
    throw NumericalError(where + ": " + e.what());
  }
}

/// Runs `fn` on rank 0 and hands its text to all; an error there is thrown on every rank. Collective: over comm.
std::string from_root(const parallel::Communicator& comm, const std::function<std::string()>& fn);

}  // namespace cinecortex::stages
