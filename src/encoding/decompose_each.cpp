#include "decompose_each.hpp"

#include <algorithm>

#include "cinecortex/core/interrupt.hpp"
#include "cinecortex/linalg/device.hpp"
#include "cinecortex/linalg/distributed_eigen.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "cinecortex/parallel/threads.hpp"
#include "columns.hpp"

namespace cinecortex::encoding {
namespace {

using Pairs = std::vector<linalg::EigenPairs>;

/// Rank `owner`'s eigenpairs, on every rank.
linalg::EigenPairs handed_out(linalg::EigenPairs mine, int owner, const parallel::Communicator& comm) {
  const Index p = comm.max(std::int64_t{comm.rank() == owner ? mine.values.size() : 0});
  parallel::agree(comm, [&] {
    if (comm.rank() != owner) mine = {VectorD(p), MatrixD(p, p)};
  });
  comm.broadcast(numbers(mine.values), owner);
  comm.broadcast(numbers(mine.vectors), owner);
  return mine;
}

void decompose_together(Index count, const std::function<MatrixD(Index)>& matrix,
                        const parallel::Communicator& comm, const std::function<void(Index, Pairs)>& take) {
  for (Index i = 0; i < count; ++i) {
    MatrixD whole = parallel::agree(comm, [&] {
      interrupt::check();
      return matrix(i);
    });
    Pairs pairs;
    pairs.push_back(linalg::eigh(std::move(whole), comm));
    take(i, std::move(pairs));
  }
}

}  // namespace

double fit_bytes(Index columns, Index targets) {
  const auto p = static_cast<double>(columns), t = static_cast<double>(targets);
  return 72 * p * p + 52 * p * t;
}

Index side_by_side(Index columns, Index targets, double most_bytes) {
  const Index threads = linalg::device() == "cpu" ? parallel::openmp_threads() : 1;
  const double fitting = most_bytes / std::max(1.0, fit_bytes(columns, targets));
  const Index possible = fitting < static_cast<double>(threads) ? static_cast<Index>(fitting) : threads;
  // A few single threads of very many are slower than all of them on one matrix.
  return possible < 2 || 4 * possible < threads ? 1 : possible;
}

Index side_by_side(Index columns, Index targets, double most_bytes, const parallel::Communicator& comm) {
  return comm.min(std::int64_t{side_by_side(columns, targets, most_bytes)});
}

void for_each_of(Index count, Index at_once, const std::function<void(Index)>& fn) {
  if (at_once > 1 && count > 1) return parallel::for_each_in_threads(count, at_once, fn);
  for (Index i = 0; i < count; ++i) fn(i);
}

void decompose_each(Index count, Index columns, Index at_once, const std::function<MatrixD(Index)>& matrix,
                    const parallel::Communicator& comm, const std::function<void(Index, Pairs)>& take) {
  if (comm.size() > 1 && columns >= linalg::together_from)
    return decompose_together(count, matrix, comm, take);
  for (Index begin = 0; begin < count;) {
    const Index wave = std::min(count - begin, at_once * comm.size());
    const auto share_of = [&](int rank) { return partition(wave, comm.size(), rank); };
    const Range own = share_of(comm.rank());
    Pairs mine(static_cast<std::size_t>(own.size()));
    parallel::agree(comm, [&] {
      interrupt::check();
      for_each_of(own.size(), at_once, [&](Index i) {
        mine[static_cast<std::size_t>(i)] = linalg::eigh(matrix(begin + own.begin + i));
      });
    });
    for (int owner = 0; owner < comm.size(); ++owner) {
      const Range theirs = share_of(owner);
      if (theirs.empty()) continue;
      Pairs pairs;
      if (comm.rank() == owner) pairs = std::move(mine);
      pairs.resize(static_cast<std::size_t>(theirs.size()));
      if (comm.size() > 1) {
        for (auto& each : pairs) each = handed_out(std::move(each), owner, comm);
      }
      take(begin + theirs.begin, std::move(pairs));
    }
    begin += wave;
  }
}

}  // namespace cinecortex::encoding
