#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>

#include "cinecortex/app/command_line.hpp"
#include "cinecortex/app/experiment_file.hpp"
#include "cinecortex/app/finish.hpp"
#include "cinecortex/app/launch.hpp"
#include "cinecortex/app/version.hpp"
#include "cinecortex/core/interrupt.hpp"
#include "cinecortex/core/memory.hpp"
#include "cinecortex/linalg/blas_kernel.hpp"
#include "cinecortex/linalg/device.hpp"
#include "cinecortex/models/runtime.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "cinecortex/stages/stages.hpp"

namespace {

using namespace cinecortex;
using parallel::Communicator;

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

/// Rank 0 reads and checks the file; the others get the text in which everything is said.
stages::Experiment read_everywhere(const app::ExperimentJob& job, const Communicator& comm) {
  stages::Experiment experiment;
  parallel::agree(comm, [&] {
    if (comm.root()) experiment = app::read_experiment(job.file, job.settings);
  });
  std::string resolved = experiment.resolved;
  comm.broadcast(resolved);
  return parallel::agree(comm, [&] { return app::parse_experiment(resolved, job.file.string()); });
}

/// Carries out what the command line asks for; one overload a kind of job.
class Worker {
 public:
  Worker(const app::Command& command, const stages::Runtime& runtime, const Communicator& comm)
      : command_(command), runtime_(runtime), comm_(comm) {}

  stages::Summary operator()(const app::ExperimentJob& job) const {
    stages::Config config{.experiment = read_everywhere(job, comm_), .runtime = runtime_};
    config.runtime.sweep_part = job.sweep_part;
    return command_.dry_run ? stages::dry_run(command_.verb, config, comm_)
                            : stages::run_stage(command_.verb, config, comm_);
  }
  stages::Summary operator()(stages::matrices::PcaConfig config) const {
    config.handling.memory_bytes = runtime_.memory_bytes;
    return pca(config, comm_);
  }
  stages::Summary operator()(stages::matrices::RidgeConfig config) const {
    config.handling.memory_bytes = runtime_.memory_bytes;
    return ridge(config, comm_);
  }
  stages::Summary operator()(stages::matrices::SweepConfig config) const {
    config.handling.memory_bytes = runtime_.memory_bytes;
    return sweep(config, comm_);
  }
  stages::Summary operator()(const stages::matrices::StackConfig& config) const {
    return stack(config, comm_);
  }
  stages::Summary operator()(const stages::matrices::PredictConfig& config) const {
    return predict(config, comm_);
  }
  stages::Summary operator()(const stages::matrices::ScoreConfig& config) const {
    return score(config, comm_);
  }
  stages::Summary operator()(stages::matrices::ExtractConfig config) const {
    config.runtime = runtime_;
    config.model.device = runtime_.device;
    return extract(config, comm_);
  }
  stages::Summary operator()(const stages::SynthConfig& config) const {
    if (command_.dry_run) throw InputError("--dry-run: synth reads nothing that could be checked");
    return synth(config, comm_);
  }
  stages::Summary operator()(const app::ShowHelp&) const { throw Error("internal: help is no stage"); }
  stages::Summary operator()(const app::ShowVersion&) const {
    throw Error("internal: the version is no stage");
  }

 private:
  const app::Command& command_;
  const stages::Runtime& runtime_;
  const Communicator& comm_;
};

void print_summary(const stages::Summary& summary, bool json) {
  if (!json) return print(summary.text);
  nlohmann::json document = stages::to_json(summary);
  document["cinecortex_version"] = app::version();
  document["commit"] = app::commit();
  print(document.dump(2) + "\n");
}

void work(const app::Command& command, const Communicator& comm) {
  if (const auto* help = std::get_if<app::ShowHelp>(&command.job)) {
    if (comm.root()) print(help->text);
    return;
  }
  const int threads = command.threads ? *command.threads : app::fair_threads(comm);
  app::set_threads(threads);
  if (std::holds_alternative<app::ShowVersion>(command.job)) {
    if (comm.root()) print(app::version_report());
    return;
  }
  log::configure(comm.rank(), comm.size(), command.log_level);

  stages::Runtime runtime;
  runtime.threads = threads;
  runtime.program = app::version_json();
  runtime.memory_bytes = app::fair_memory_bytes(command.memory_bytes, comm);
  runtime.force = command.force;
  runtime.progress = command.log_level <= log::Level::info;
  runtime.device = app::fair_device(command.device, comm);
  runtime.decode_ahead = runtime.device != "cpu";  // there the decoder would take the network's own cores
  parallel::agree(comm, [&] { linalg::set_device(runtime.device); });
  if (comm.root()) {
    log::info("cinecortex {} ({}), {} {} × {} {}, device {}", app::version(), app::commit(), comm.size(),
              comm.size() == 1 ? "rank" : "ranks", threads, threads == 1 ? "thread" : "threads",
              runtime.device);
  }
  const stages::Summary summary = std::visit(Worker(command, runtime, comm), command.job);
  if (comm.root()) print_summary(summary, command.json);
}

int run(int argc, char** argv) {
  try {
    const parallel::Environment environment(argc, argv);
    const Communicator world = Communicator::world();
    const Communicator arrivals = world.duplicate();
    std::exception_ptr failure;
    try {
      work(app::parse_command_line({argv + 1, argv + argc}), world);
    } catch (...) {
      failure = std::current_exception();
    }
    return app::finish(arrivals, failure);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "cinecortex: error: MPI cannot be used: %s\n", e.what());
    return app::stage_failed;
  }
}

}  // namespace

int main(int argc, char** argv) {
  linalg::use_fitting_blas_kernel(argv);
  keep_freed_memory();
  interrupt::install_handlers();
  app::prepare_environment();
  const int code = run(argc, argv);
  std::fflush(nullptr);
  std::_Exit(code);  // all files are closed, and libtorch would take another 0.1 s to forget its operators
}
