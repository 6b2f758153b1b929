#include "cinecortex/app/finish.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "cinecortex/core/clock.hpp"
#include "cinecortex/core/error.hpp"
#include "cinecortex/parallel/agree.hpp"

namespace cinecortex::app {
namespace {

struct Ending {
  ExitCode code = done;
  std::string message;
};

Ending describe(std::exception_ptr failure, const parallel::Communicator& comm) {
  try {
    std::rethrow_exception(failure);
  } catch (const InputError& e) {
    return {wrong_input, e.what()};
  } catch (const Interrupted& e) {
    return {stopped, e.what()};
  } catch (const StageError& e) {
    const std::string others = e.count() > 1 ? fmt::format(" ({} ranks failed)", e.count()) : "";
    return {stage_failed, comm.size() > 1
                              ? fmt::format("rank {} of {}: {}{}", e.rank(), comm.size(), e.what(), others)
                              : e.what()};
  } catch (const std::bad_alloc&) {
    return {stage_failed, fmt::format("rank {} of {}: out of memory", comm.rank(), comm.size())};
  } catch (const std::exception& e) {
    return {stage_failed, fmt::format("rank {} of {}: {}", comm.rank(), comm.size(), e.what())};
  }
}

void print(const Ending& ending) {
  std::fflush(stdout);
  // One write, so that lines of several ranks cannot interleave.
  const std::string line =
      fmt::format("cinecortex: {}{}\n", ending.code == stopped ? "" : "error: ", ending.message);
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

bool is_communication_error(std::exception_ptr failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const parallel::CommunicationError&) {
    return true;
  } catch (...) {
    return false;
  }
}

/// Whether every rank came here. A rank without a failure waits as long as it takes.
bool all_arrive(const parallel::Communicator& comm, bool patient, double patience_s) {
  MPI_Request request = MPI_REQUEST_NULL;
  parallel::check_mpi(MPI_Ibarrier(comm.handle(), &request), "MPI_Ibarrier");
  const Stopwatch clock;
  for (int arrived = 0;;) {
    parallel::check_mpi(MPI_Test(&request, &arrived, MPI_STATUS_IGNORE), "MPI_Test");
    if (arrived) return true;
    if (!patient && clock.seconds() > patience_s) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

[[noreturn]] void abort_job(const parallel::Communicator& comm, const Ending& ending) {
  print(ending);
  MPI_Abort(comm.handle(), ending.code);
  std::abort();  // MPI_Abort does not return
}

}  // namespace

ExitCode finish(const parallel::Communicator& comm, std::exception_ptr failure, double patience_s) {
  try {
    if (failure && is_communication_error(failure)) abort_job(comm, describe(failure, comm));
    if (!all_arrive(comm, !failure, patience_s)) abort_job(comm, describe(failure, comm));
    parallel::agree_on_failure(comm, failure);
    return done;
  } catch (const parallel::CommunicationError&) {
    abort_job(comm, describe(std::current_exception(), comm));
  } catch (...) {
    const Ending ending = describe(std::current_exception(), comm);
    if (comm.root()) print(ending);
    return ending.code;
  }
}

}  // namespace cinecortex::app
