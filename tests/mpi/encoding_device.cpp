#include <gtest/gtest.h>

#include "cinecortex/encoding/pca.hpp"
#include "cinecortex/encoding/ridge.hpp"
#include "cinecortex/linalg/device.hpp"
#include "random_matrix.hpp"

// Whole fits by the code of a GPU, run by libtorch on the CPU, against those by OpenBLAS.
namespace cinecortex::encoding {
namespace {

template <class Fn>
auto on_device(Fn&& fn) {
  linalg::set_device("torch-cpu");
  auto result = fn();
  linalg::set_device("cpu");
  return result;
}

TEST(Device, RidgeIsTheSame) {
  const auto comm = parallel::Communicator::world();
  const MatrixD x = random_matrix(300, 20, 1);
  const MatrixD y = x * random_matrix(20, 70, 2) + random_matrix(300, 70, 3);
  const MemorySource x_runs(x, {100, 120, 80}), y_runs(y, {100, 120, 80});
  for (const auto* criterion : {"loo", "kfold:3", "leave-one-run-out"}) {
    const RidgeOptions options{.alphas = default_alphas(), .criterion = criterion};
    const auto fit = [&] { return fit_ridge(x_runs, y_runs, options, comm); };
    const auto here = fit(), there = on_device(fit);
    EXPECT_EQ(here.alpha, there.alpha) << criterion;
    EXPECT_LT((here.weights - there.weights).cwiseAbs().maxCoeff(), 1e-5);
    EXPECT_LT((here.cv - there.cv).cwiseAbs().maxCoeff(), 1e-5);
  }
}

TEST(Device, ComponentsAreTheSame) {
  const auto comm = parallel::Communicator::world();
  MatrixD x = random_matrix(200, 30, 4);
  for (Index j = 0; j < 30; ++j) x.col(j) *= std::pow(0.8, static_cast<double>(j));
  const MemorySource runs(x, {90, 110});
  const PcaOptions options{.components = 5, .scale = Scale::none, .fit_every = 1};
  const auto fit = [&] { return fit_pca(runs, options, comm); };
  const auto here = fit(), there = on_device(fit);
  EXPECT_LT((here.components - there.components).cwiseAbs().maxCoeff(), 1e-5);
  EXPECT_LT((here.explained_variance - there.explained_variance).cwiseAbs().maxCoeff(), 1e-5);
}

}  // namespace
}  // namespace cinecortex::encoding
