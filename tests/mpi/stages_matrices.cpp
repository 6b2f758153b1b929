// The verbs on matrices, from files to files, against plain definitions; the same for every number of ranks.
#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <fstream>
#include <random>
#include <sstream>

#include "cinecortex/io/hdf5.hpp"
#include "cinecortex/io/npy.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "cinecortex/stages/matrices.hpp"

namespace {

using namespace cinecortex;
using namespace cinecortex::stages::matrices;
namespace fs = std::filesystem;

/// A folder that all ranks share, under the test's own working folder.
class MatrixVerbs : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    folder_ = fs::path("matrices_" + name);
    if (comm_.root()) {
      fs::remove_all(folder_);
      fs::create_directories(folder_);
    }
    x_ = random(60, 5, 1);
    const MatrixD weights = random(5, 7, 2);
    y_ = x_ * weights + 0.5 * random(60, 7, 3);
    y_.col(3).setConstant(2.5);
    write("x", x_);
    write("y", y_);
  }

  /// The same numbers on every rank.
  static MatrixD random(Index rows, Index columns, unsigned seed) {
    std::mt19937 generator(seed);
    std::normal_distribution<double> normal;
    MatrixD values(rows, columns);
    for (Index i = 0; i < values.size(); ++i) values.data()[i] = normal(generator);
    return values;
  }
  std::string path(const std::string& name) const { return (folder_ / (name + ".npy")).string(); }
  std::string write(const std::string& name, const MatrixD& values) {
    if (comm_.root()) io::write_npy(path(name), values);
    comm_.barrier();
    return path(name);
  }
  std::string write_groups(Index first, Index rows) {
    MatrixD labels = MatrixD::Zero(rows, 1);
    labels.bottomRows(rows - first).setOnes();
    return write("groups", labels);
  }
  template <class Fn>
  std::string complaint(Fn fn) {
    std::string text;
    try {
      fn();
    } catch (const InputError& e) {
      text = e.what();
    }
    comm_.barrier();
    return text;
  }
  static MatrixD read(const fs::path& file, const std::string& path) {
    return io::Hdf5Reader(file).read<double>(path);
  }
  RidgeConfig ridge_config() {
    return {.x = path("x"),
            .y = path("y"),
            .groups = "",
            .options = {.alphas = {100, 1, 0.01}, .criterion = "loo", .per_target = true},
            .design = {},
            .output = folder_ / "ridge.h5",
            .handling = {}};
  }

  parallel::Communicator comm_ = parallel::Communicator::world();
  fs::path folder_;
  MatrixD x_, y_;
};

/// Weights and intercept of one ridge fit, by the normal equations.
std::pair<MatrixD, VectorD> plain_ridge(const MatrixD& x, const MatrixD& y, double alpha) {
  const Eigen::RowVectorXd mx = x.colwise().mean(), my = y.colwise().mean();
  const MatrixD xc = x.rowwise() - mx, yc = y.rowwise() - my;
  const MatrixD gram = xc.transpose() * xc + alpha * MatrixD::Identity(x.cols(), x.cols());
  const MatrixD weights = gram.ldlt().solve(xc.transpose() * yc);
  return {weights, (my - mx * weights).transpose()};
}

/// Mean squared error of refitting without each row in turn: [t].
VectorD refitted_errors(const MatrixD& x, const MatrixD& y, double alpha) {
  VectorD sums = VectorD::Zero(y.cols());
  for (Index out = 0; out < x.rows(); ++out) {
    MatrixD xs(x.rows() - 1, x.cols()), ys(x.rows() - 1, y.cols());
    xs << x.topRows(out), x.bottomRows(x.rows() - out - 1);
    ys << y.topRows(out), y.bottomRows(x.rows() - out - 1);
    const auto [weights, intercept] = plain_ridge(xs, ys, alpha);
    sums += (y.row(out) - x.row(out) * weights - intercept.transpose()).cwiseAbs2().transpose();
  }
  return sums / static_cast<double>(x.rows());
}

TEST_F(MatrixVerbs, RidgeEqualsRefittingWithoutEachRow) {
  const auto config = ridge_config();
  const auto summary = ridge(config, comm_);
  EXPECT_EQ(summary.done, 1);
  const MatrixD cv = read(config.output, "/cv_mse");
  const MatrixD weights = read(config.output, "/weights");
  const MatrixD alpha = read(config.output, "/alpha");
  const MatrixD intercept = read(config.output, "/intercept");
  ASSERT_EQ(cv.rows(), 3);
  ASSERT_EQ(cv.cols(), 7);
  for (Index a = 0; a < 3; ++a) {
    const double tried = config.options.alphas[static_cast<std::size_t>(a)];
    const VectorD errors = refitted_errors(x_, y_, tried);
    EXPECT_LT((cv.row(a).transpose() - errors).cwiseAbs().maxCoeff(), 1e-9);
    const auto [w, b] = plain_ridge(x_, y_, tried);
    for (Index target = 0; target < 7; ++target) {
      if (alpha(target, 0) != tried) continue;
      EXPECT_LT((weights.col(target) - w.col(target)).cwiseAbs().maxCoeff(), 1e-9);
      EXPECT_NEAR(intercept(target, 0), b[target], 1e-9);
    }
  }
  const io::Hdf5Reader file(config.output);
  EXPECT_EQ(file.attribute("/", "kind"), io::Attribute(std::string("ridge")));
  EXPECT_TRUE(file.attribute("/", "experiment_digest").has_value());
  EXPECT_TRUE(file.attribute("/", "cinecortex_version").has_value());
}

TEST_F(MatrixVerbs, PredictAppliesTheSameDesign) {
  auto config = ridge_config();
  config.groups = write_groups(23, 60);
  config.design = encoding::Design::fir({2, 0, -1}, encoding::Edge::zero);
  config.options.alphas = {1};
  ridge(config, comm_);
  MatrixD design(60, 15);
  design << config.design->rows_at(x_.topRows(23), config.design->rows(23, {0, 23}), 0),
      config.design->rows_at(x_.bottomRows(37), config.design->rows(37, {0, 37}), 0);
  const auto [weights, intercept] = plain_ridge(design, y_, 1.0);
  const MatrixD expected = (design * weights).rowwise() + intercept.transpose();
  for (const char* name : {"p.npy", "deep/folder/p.h5"}) {
    const PredictConfig wanted{.model = config.output,
                               .x = path("x"),
                               .groups = config.groups,
                               .output = folder_ / name,
                               .handling = {}};
    predict(wanted, comm_);
    const auto where = wanted.output.string() + (wanted.output.extension() == ".h5" ? ":/prediction" : "");
    const MatrixD found = io::MatrixFile(where).read({0, 60}, {0, 7});
    EXPECT_LT((found - expected).cwiseAbs().maxCoeff(), 1e-5) << name;
    EXPECT_FALSE(fs::exists(wanted.output.string() + ".partial"));
  }
}

TEST_F(MatrixVerbs, RowsDroppedAtEdgesAreLeftOutOfTheFit) {
  auto config = ridge_config();
  config.groups = write_groups(23, 60);
  config.design = encoding::Design::fir({3}, encoding::Edge::drop);
  config.options.alphas = {1};
  ridge(config, comm_);
  MatrixD xs(54, 5), ys(54, 7);
  xs << x_.topRows(20), x_.middleRows(23, 34);
  ys << y_.middleRows(3, 20), y_.bottomRows(34);
  EXPECT_LT((read(config.output, "/weights") - plain_ridge(xs, ys, 1.0).first).cwiseAbs().maxCoeff(), 1e-9);
}

TEST_F(MatrixVerbs, PcaEqualsTheSingularVectors) {
  const PcaConfig config{.x = path("x"),
                         .options = {.components = 3, .scale = encoding::Scale::none, .fit_every = 1},
                         .groups = "",
                         .output = folder_ / "pca.h5",
                         .handling = {}};
  pca(config, comm_);
  const Eigen::RowVectorXd mean = x_.colwise().mean();
  const MatrixD centred = x_.rowwise() - mean;
  const Eigen::JacobiSVD<Eigen::MatrixXd> svd(centred, Eigen::ComputeThinV);
  const MatrixD components = read(config.output, "/components");
  ASSERT_EQ(components.rows(), 3);
  for (Index k = 0; k < 3; ++k) {
    EXPECT_NEAR(std::abs(components.row(k).dot(svd.matrixV().col(k).transpose())), 1.0, 1e-9);
  }
  EXPECT_LT((read(config.output, "/mean").transpose() - mean).cwiseAbs().maxCoeff(), 1e-12);
  EXPECT_LT((read(config.output, "/scores") - centred * components.transpose()).cwiseAbs().maxCoeff(), 1e-5);
}

TEST_F(MatrixVerbs, StackFindsTheModelThatIsTheTruth) {
  write("good", y_);
  write("bad", random(60, 7, 9));
  const StackConfig config{.y = path("y"),
                           .groups = write_groups(30, 60),
                           .predictions = {path("bad"), path("good")},
                           .method = "simplex",
                           .output = folder_ / "stack.h5",
                           .handling = {}};
  stack(config, comm_);
  const MatrixD weights = read(config.output, "/weights");
  EXPECT_LT((weights.row(1).array() - 1).abs().maxCoeff(), 1e-9);
  EXPECT_LT((read(config.output, "/weights_without/good").row(0).array() - 1).abs().maxCoeff(), 1e-9);
  EXPECT_EQ(io::Hdf5Reader(config.output).read_strings("/models"), (std::vector<std::string>{"bad", "good"}));
  EXPECT_EQ(io::Hdf5Reader(config.output).children("/loro_weights").size(), 2u);
}

TEST_F(MatrixVerbs, ScoreIsPearsonPerRunAndOverAll) {
  const MatrixD p = y_ + random(60, 7, 11);
  write("p", p);
  const ScoreConfig config{.y = path("y"),
                           .prediction = path("p"),
                           .groups = write_groups(25, 60),
                           .output = folder_ / "scores.csv",
                           .handling = {}};
  const auto summary = score(config, comm_);
  ASSERT_EQ(summary.details["scores"].size(), 3u);
  double sum = 0;
  for (Index target = 0; target < 7; ++target) {
    if (target == 3) continue;  // constant truth: r is 0
    const VectorD a = y_.col(target).array() - y_.col(target).mean();
    const VectorD b = p.col(target).array() - p.col(target).mean();
    sum += a.dot(b) / (a.norm() * b.norm());
  }
  EXPECT_NEAR(summary.details["scores"][2]["mean_r"].get<double>(), sum / 7, 1e-12);
  EXPECT_EQ(summary.details["scores"][0]["rows"], 25);
  std::ifstream in(config.output);
  std::string header;
  std::getline(in, header);
  EXPECT_EQ(header, "target,r_0,r_1,r_all,p_0,p_1,p_all,q_0,q_1,q_all");
}

TEST_F(MatrixVerbs, ScoreGivesTheSignificanceOfEveryTarget) {
  MatrixD p = random(60, 7, 12);
  p.col(1) += 2 * y_.col(1);
  write("p", p);
  ScoreConfig config{.y = path("y"),
                     .prediction = path("p"),
                     .groups = write_groups(25, 60),
                     .significance = {.permutations = 150, .block_tr = 4},
                     .output = folder_ / "scores.csv",
                     .handling = {}};
  const auto summary = score(config, comm_);
  const encoding::BlockPermutations both({25, 35}, config.significance), second({35}, config.significance);
  const VectorD p_all = both.p_values(y_.cast<float>(), p.cast<float>());
  const VectorD p_second = second.p_values(y_.bottomRows(35).cast<float>(), p.bottomRows(35).cast<float>());
  const VectorD q_all = encoding::q_values(p_all);
  std::ifstream in(config.output);
  std::string line;
  std::getline(in, line);
  for (Index target = 0; target < 7; ++target) {
    std::getline(in, line);
    std::vector<double> cells;
    std::istringstream row(line);
    for (std::string cell; std::getline(row, cell, ',');) cells.push_back(std::stod(cell));
    EXPECT_EQ(cells.size(), 10u);
    if (cells.size() != 10) continue;
    EXPECT_NEAR(cells[5], p_second[target], 1e-12);
    EXPECT_NEAR(cells[6], p_all[target], 1e-12);
    EXPECT_NEAR(cells[9], q_all[target], 1e-12);
  }
  EXPECT_EQ(p_all[3], 1.0) << "a constant target is not significant";
  EXPECT_LT(p_all[1], 0.01);
  EXPECT_EQ(summary.details["scores"][2]["significant"], (q_all.array() < 0.05).count());

  comm_.barrier();
  config.significance.permutations = 0;
  const auto without = score(config, comm_);
  EXPECT_FALSE(without.details["scores"][0].contains("significant"));
  std::ifstream again(config.output);
  std::getline(again, line);
  EXPECT_EQ(line, "target,r_0,r_1,r_all");
  comm_.barrier();
}

TEST_F(MatrixVerbs, FinishedOutputsAreKeptUntilSomethingChanges) {
  auto config = ridge_config();
  EXPECT_EQ(ridge(config, comm_).kept, 0);
  EXPECT_EQ(ridge(config, comm_).kept, 1);
  config.options.alphas = {5};
  EXPECT_EQ(ridge(config, comm_).kept, 0);
  EXPECT_EQ(ridge(config, comm_).kept, 1);
  write("x", x_ * 2);
  EXPECT_EQ(ridge(config, comm_).kept, 0);
  config.handling.force = true;
  EXPECT_EQ(ridge(config, comm_).kept, 0);
  config = ridge_config();
  config.output = folder_ / "dry.h5";
  config.handling.dry_run = true;
  EXPECT_NE(ridge(config, comm_).text.find("nothing was written"), std::string::npos);
  EXPECT_FALSE(fs::exists(config.output));
}

TEST_F(MatrixVerbs, EveryRankGetsTheSameComplaint) {
  auto config = ridge_config();
  config.y = write("short", random(59, 2, 1));
  const auto text = complaint([&] { ridge(config, comm_); });
  EXPECT_NE(text.find("60 rows"), std::string::npos) << text;
  EXPECT_NE(text.find("short.npy has 59"), std::string::npos) << text;

  MatrixD hole = y_;
  hole(40, 6) = std::numeric_limits<double>::quiet_NaN();
  config.y = write("hole", hole);
  const auto nan = complaint([&] { ridge(config, comm_); });
  EXPECT_NE(nan.find("hole.npy"), std::string::npos) << nan;
  EXPECT_NE(nan.find("40"), std::string::npos) << nan;
  EXPECT_FALSE(fs::exists(config.output));
}

TEST_F(MatrixVerbs, ModelsThatDoNotFitAreRefused) {
  const auto config = ridge_config();
  ridge(config, comm_);
  PredictConfig wanted{.model = config.output,
                       .x = write("wide", random(9, 6, 1)),
                       .groups = "",
                       .output = folder_ / "p.npy",
                       .handling = {}};
  const auto width = complaint([&] { predict(wanted, comm_); });
  EXPECT_NE(width.find("6 columns"), std::string::npos) << width;
  EXPECT_NE(width.find("fitted on 5"), std::string::npos) << width;

  if (comm_.root()) fs::resize_file(config.output, fs::file_size(config.output) / 2);
  comm_.barrier();
  wanted.x = path("x");
  EXPECT_NE(complaint([&] { predict(wanted, comm_); }).find("ridge.h5"), std::string::npos);
  EXPECT_FALSE(fs::exists(wanted.output));
}

TEST_F(MatrixVerbs, WorksOnPartOfTheRanks) {
  const auto part = comm_.split(comm_.rank() % 2, comm_.rank());
  auto config = ridge_config();
  config.output = folder_ / ("ridge" + std::to_string(comm_.rank() % 2) + ".h5");
  EXPECT_EQ(ridge(config, part).done, 1);
  comm_.barrier();
}

}  // namespace
