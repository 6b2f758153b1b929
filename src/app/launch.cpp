#include "cinecortex/app/launch.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "cinecortex/core/log.hpp"
#include "cinecortex/core/memory.hpp"
#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/models/runtime.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "cinecortex/parallel/device_binding.hpp"
#include "cinecortex/parallel/threads.hpp"

namespace cinecortex::app {
namespace {

/// The largest number in Slurm's list of tasks by node, "4(x2),3".
long most_tasks(const char* list) {
  long most = 0;
  for (const char* at = list; at; at = std::strchr(at, ',')) {
    if (*at == ',') ++at;
    most = std::max(most, std::strtol(at, nullptr, 10));
  }
  return most;
}

/// As the launcher says, mpirun or srun; 0 if none does.
long ranks_on_a_node() {
  // mpirun in a Slurm job has one task a node, of which the ranks are children: what it says counts first.
  if (const char* const ranks = std::getenv("OMPI_COMM_WORLD_LOCAL_SIZE")) return std::atol(ranks);
  return most_tasks(std::getenv("SLURM_STEP_TASKS_PER_NODE"));
}

long processors_for_them() {
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  const char* const granted = std::getenv("SLURM_CPUS_ON_NODE");
  return granted && std::atol(granted) > 0 ? std::min(online, std::atol(granted)) : online;
}

}  // namespace

void prepare_environment() {
  constexpr int keep_what_is_set = 0;
  if (ranks_on_a_node() > processors_for_them()) {
    setenv("OMPI_MCA_mpi_yield_when_idle", "1", keep_what_is_set);
  }
  // Started without a launcher there is nobody to talk to. Open MPI would start a daemon, as if more processes were to
  // come, and look for networks: 0.2 s each.
  const bool launched =
      std::getenv("OMPI_COMM_WORLD_SIZE") || std::getenv("PMIX_RANK") || std::getenv("PMI_RANK");
  if (launched) return;
  setenv("OMPI_MCA_ess_singleton_isolated", "1", keep_what_is_set);
  setenv("OMPI_MCA_pml", "ob1", keep_what_is_set);
  // All such programs would share one folder, for what MPI-IO keeps of a shared file pointer and for a daemon's files:
  // nothing here uses either, and a program that ends takes it away from one that begins, which then cannot begin.
  setenv("OMPI_MCA_orte_create_session_dirs", "0", keep_what_is_set);
  setenv("OMPI_MCA_sharedfp", "^sm", keep_what_is_set);
}

int fair_threads(const parallel::Communicator& comm) {
  std::vector<std::int64_t> mine(CPU_SETSIZE, 0);
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) CPU_SET(0, &set);
  for (std::size_t core = 0; core < mine.size(); ++core) mine[core] = CPU_ISSET(core, &set) ? 1 : 0;

  std::vector<std::int64_t> users = mine;
  const auto node = comm.node();
  node.sum(std::span(users));
  double share = 0;
  for (std::size_t core = 0; core < mine.size(); ++core) {
    if (mine[core]) share += 1.0 / static_cast<double>(users[core]);
  }
  constexpr double rounding = 1e-6;
  return std::max(1, static_cast<int>(share + rounding));
}

double fair_memory_bytes(std::optional<std::int64_t> wanted, const parallel::Communicator& comm) {
  constexpr double share = 0.8;
  const auto node = comm.node();
  const double held = node.sum(static_cast<double>(resident_bytes()));
  const double bytes = wanted ? static_cast<double>(*wanted)
                              : share * (held + node.min(static_cast<double>(available_bytes())));
  return bytes / node.size();
}

std::string fair_device(const std::string& wanted, const parallel::Communicator& comm) {
  const auto first = parallel::agree(comm, [&] { return models::resolve_device(wanted); });
  if (first == wanted) return first;  // named by number, or the CPU
  const auto binding =
      parallel::bind_device(first == "cpu" ? std::vector<std::string>{} : models::gpu_identifiers(), comm);
  if (!binding) return "cpu";
  if (comm.root()) {
    log::info("GPUs of this node: {} of {} in use, {} on that of rank 0{}", binding->devices_used,
              binding->devices,
              binding->ranks_on_it == 1 ? "one rank" : fmt::format("{} ranks", binding->ranks_on_it),
              binding->devices_used < binding->devices ? "; as many ranks as GPUs would use them all" : "");
  }
  return fmt::format("cuda:{}", binding->device);
}

void set_threads(int threads) {
  parallel::set_openmp_threads(threads);
  linalg::set_blas_threads(threads);
}

}  // namespace cinecortex::app
