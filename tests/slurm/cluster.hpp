#pragma once
#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "program.hpp"
#include "temp_folder.hpp"

namespace cinecortex::testing {

/// A Slurm cluster of one node on this machine, of ordinary processes: munged, slurmctld and slurmd, which keep
/// everything in a temporary folder, listen on free ports of 127.0.0.1, and end with this process at the latest.
/// The node claims four processors, however many there are, and two GPUs that do not exist.
class Cluster {
 public:
  /// What of Slurm is not installed here, or why it cannot be run; "" if all is well.
  static std::string missing();

  /// Sets SLURM_CONF for this process.   @throws std::runtime_error with the daemons' last words.
  Cluster();
  /// Cancels every job and stops the daemons.
  ~Cluster();

  std::filesystem::path folder() const { return folder_.path(); }
  /// Processes that were started by the cluster in this folder and still run: daemons, job steps, programs.
  static std::vector<int> processes(const std::filesystem::path& folder);
  /// Ends of the daemons' logs.
  std::string logs() const;

 private:
  void write_configuration() const;
  void start(const std::vector<std::string>& command, const std::string& name);
  void stop();

  TempFolder folder_;
  std::vector<pid_t> daemons_;
};

/// A job, or a task of an array, as `scontrol show job` tells.
struct Job {
  std::string id, state, reason, exit_code;
  int restarts = 0;
};

/// The tasks of an array come one by one.
std::vector<Job> jobs(const std::string& id);

/// Waits until no job of these is left to do, also not one that is queued again.
/// @return their jobs; fails the test after `patience_s`
std::vector<Job> wait_for(const std::vector<std::string>& ids, double patience_s = 400);

}  // namespace cinecortex::testing
