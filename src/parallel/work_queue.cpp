#include "cinecortex/parallel/work_queue.hpp"

#include <chrono>
#include <deque>
#include <mutex>
#include <thread>

#include "cinecortex/core/clock.hpp"
#include "cinecortex/core/interrupt.hpp"
#include "cinecortex/parallel/agree.hpp"

namespace cinecortex::parallel {
namespace {

constexpr int request_tag = 1, reply_tag = 2;
constexpr Index no_task = -1, failed_task = -2, stopped = -3;
constexpr auto poll_period = std::chrono::milliseconds(1);

using Completed = std::function<std::optional<Index>(Index)>;

/// The list of tasks, on rank 0.
class Dispenser {
 public:
  Dispenser(Index count, const Completed& completed) : count_(count), completed_(completed) {}

  /// @param finished  the task just finished, no_task before, failed_task after a failure
  /// @return          no_task: none is left, but the rank may still hold some; stopped: nothing more is to be done
  Index next(Index finished) {
    const std::lock_guard lock(mutex_);
    if (finished == failed_task || interrupt::requested()) stopped_ = true;
    const auto follow_up = finished >= 0 && completed_ ? completed_(finished) : std::nullopt;
    if (follow_up && !stopped_) return *follow_up;
    if (stopped_) return stopped;
    return next_ == count_ ? no_task : next_++;
  }

 private:
  std::mutex mutex_;
  Index next_ = 0, count_;
  bool stopped_ = false;
  const Completed& completed_;
};

/// Answers the other ranks until each holds no task and was told that there is no more.
void serve(const Communicator& comm, Dispenser& dispenser) {
  int working = comm.size() - 1;
  std::vector<int> held(static_cast<std::size_t>(comm.size()), 0);
  while (working > 0) {
    int there = 0;
    MPI_Status status;
    check_mpi(MPI_Iprobe(MPI_ANY_SOURCE, request_tag, comm.handle(), &there, &status), "MPI_Iprobe");
    if (!there) {
      std::this_thread::sleep_for(poll_period);
      continue;
    }
    std::int64_t finished = no_task;
    check_mpi(
        MPI_Recv(&finished, 1, MPI_INT64_T, status.MPI_SOURCE, request_tag, comm.handle(), MPI_STATUS_IGNORE),
        "MPI_Recv");
    const std::int64_t task = dispenser.next(finished);
    check_mpi(MPI_Send(&task, 1, MPI_INT64_T, status.MPI_SOURCE, reply_tag, comm.handle()), "MPI_Send");
    int& own = held[static_cast<std::size_t>(status.MPI_SOURCE)];
    if (finished != no_task) --own;
    if (task >= 0) ++own;
    if (task == stopped || own == 0) --working;
  }
}

Index ask(const Communicator& comm, std::int64_t finished) {
  std::int64_t task = no_task;
  check_mpi(MPI_Sendrecv(&finished, 1, MPI_INT64_T, 0, request_tag, &task, 1, MPI_INT64_T, 0, reply_tag,
                         comm.handle(), MPI_STATUS_IGNORE),
            "MPI_Sendrecv");
  return task;
}

}  // namespace

QueueReport run_queue(const Communicator& parent, Index count, const std::function<void(Index)>& execute,
                      const std::function<std::optional<Index>(Index)>& completed, const Announce& announce) {
  const Communicator comm = parent.duplicate();
  Dispenser dispenser(count, completed);
  std::exception_ptr server_failure;
  std::thread server;
  if (comm.root() && comm.size() > 1) {
    server = std::thread([&] {
      try {
        serve(comm, dispenser);
      } catch (...) {
        server_failure = std::current_exception();
      }
    });
  }

  const Stopwatch total;
  QueueReport report;
  std::exception_ptr failure;
  const std::size_t most_held = announce ? 2 : 1;
  std::deque<Index> held;
  Index finished = no_task;
  while (true) {
    const Index given = comm.root() ? dispenser.next(finished) : ask(comm, finished);
    finished = no_task;
    if (given >= 0) held.push_back(given);
    if (given == stopped || held.empty()) break;
    if (given != no_task && held.size() < most_held) continue;
    const Index task = held.front();
    held.pop_front();
    if (!held.empty()) announce(held.front());
    const Stopwatch busy;
    try {
      interrupt::check();
      execute(task);
      finished = task;
      ++report.tasks;
      report.times.push_back({task, busy.seconds()});
    } catch (...) {
      failure = std::current_exception();
      finished = failed_task;
    }
    report.busy_s += busy.seconds();
  }
  if (server.joinable()) server.join();
  if (server_failure) std::rethrow_exception(server_failure);
  agree(comm, [&] {
    if (failure) std::rethrow_exception(failure);
    interrupt::check();
  });
  report.idle_s = total.seconds() - report.busy_s;
  return report;
}

}  // namespace cinecortex::parallel
