#include <gtest/gtest.h>

#include "../../src/stages/matrices/inputs.hpp"
#include "cinecortex/core/error.hpp"
#include "temp_folder.hpp"

namespace {

using namespace cinecortex;
using namespace cinecortex::stages::matrices;

class MatrixInputs : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const MatrixD& values) {
    const auto file = folder_ / (name + ".npy");
    io::write_npy(file, values);
    return file.string();
  }
  std::string write_labels(const std::vector<double>& labels) {
    return write("groups", Eigen::Map<const VectorD>(labels.data(), static_cast<Index>(labels.size())));
  }
  cinecortex::testing::TempFolder folder_;
};

template <class Fn>
std::string complaint(Fn fn) {
  try {
    fn();
  } catch (const InputError& e) {
    return e.what();
  }
  return "";
}

void expect_contains(const std::string& text, const std::vector<std::string>& parts) {
  for (const auto& part : parts)
    EXPECT_NE(text.find(part), std::string::npos) << "\"" << part << "\" in: " << text;
}

TEST_F(MatrixInputs, LabelsBecomeRuns) {
  const io::MatrixFile x(write("x", MatrixD::Zero(6, 1)));
  const auto runs = read_runs(write_labels({4, 4, 4, 1, 1, 7}), x);
  ASSERT_EQ(runs.size(), 3u);
  EXPECT_EQ(runs[0].name, "4");
  EXPECT_EQ(runs[0].run, (Range{0, 3}));
  EXPECT_EQ(runs[1].run, (Range{3, 5}));
  EXPECT_EQ(runs[1].rows, (Range{0, 2}));
  EXPECT_EQ(runs[2].file_rows(), (Range{5, 6}));
  EXPECT_EQ(read_runs("", x).size(), 1u);
}

TEST_F(MatrixInputs, WrongLabelsAreRefused) {
  const io::MatrixFile x(write("x", MatrixD::Zero(6, 1)));
  expect_contains(complaint([&] {
                    read_runs(write_labels({1, 1, 2}), x);
                  }),
                  {"groups.npy", "3", "x.npy", "6"});
  expect_contains(complaint([&] {
                    read_runs(write_labels({1, 1, 2, 2, 1, 1}), x);
                  }),
                  {"groups.npy", "label 1", "row 1", "row 4", "neighbours"});
  expect_contains(complaint([&] { read_runs(write("wide", MatrixD::Zero(6, 2)), x); }),
                  {"wide.npy", "2 columns"});
}

TEST_F(MatrixInputs, ShapesThatDifferAreNamed) {
  const io::MatrixFile a(write("a", MatrixD::Zero(6, 2))), b(write("b", MatrixD::Zero(5, 2)));
  const io::MatrixFile c(write("c", MatrixD::Zero(6, 3)));
  expect_contains(complaint([&] { require_same_rows(a, b); }), {"a.npy", "6 rows", "b.npy", "5"});
  expect_contains(complaint([&] { require_same_shape(a, c); }), {"2 columns", "c.npy", "3"});
}

TEST_F(MatrixInputs, OutputsAreCheckedBeforehand) {
  const auto x = write("x", MatrixD::Zero(1, 1));
  const std::vector<std::string> any{".npy", ".h5"};
  expect_contains(complaint([&] { check_output(folder_ / "p.txt", any, {x}); }), {"p.txt", ".npy or .h5"});
  expect_contains(complaint([&] { check_output(x, any, {x}); }), {"x.npy", "one of the inputs"});
  expect_contains(complaint([&] { check_output(x, any, {x + ":/data"}); }), {"one of the inputs"});
  expect_contains(complaint([&] { check_output(std::filesystem::path(x) / "p.h5", any, {}); }),
                  {"not a folder"});
  EXPECT_EQ(complaint([&] { check_output(folder_ / "new/folder/p.h5", any, {x, ""}); }), "");
  EXPECT_EQ(complaint([&] { check_output("p.h5", any, {x}); }), "");
}

/// Design rows of whole runs, straight from the definition.
MatrixD whole_design(const MatrixD& x, const std::vector<Range>& runs, const encoding::Design& design) {
  std::vector<MatrixD> parts;
  Index rows = 0;
  for (const auto& run : runs) {
    const MatrixD features = x.middleRows(run.begin, run.size());
    parts.push_back(design.rows_at(features, design.rows(run.size(), {0, run.size()}), 0));
    rows += parts.back().rows();
  }
  MatrixD all(rows, design.columns(x.cols()));
  rows = 0;
  for (const auto& part : parts) {
    all.middleRows(rows, part.rows()) = part;
    rows += part.rows();
  }
  return all;
}

TEST_F(MatrixInputs, DesignRowsDoNotDependOnHowRunsAreCut) {
  const MatrixD x = MatrixD::Random(41, 3);
  const std::vector<Range> ranges{{0, 17}, {17, 19}, {19, 41}};
  std::vector<double> labels(41, 0);
  for (std::size_t r = 0; r < ranges.size(); ++r) {
    for (Index row = ranges[r].begin; row < ranges[r].end; ++row)
      labels[static_cast<std::size_t>(row)] = double(r);
  }
  const auto file = write("x", x);
  const auto runs = read_runs(write_labels(labels), io::MatrixFile(file));
  const std::vector<std::vector<Index>> sets{
      {0}, {5, 4, 3}, {2, 0, -3}, {-4, -5}, {9, 1}, {20}, {0, 1, 2, 3, 4, 5, 6, 7}};
  for (const auto& delays : sets) {
    for (const auto edge : {encoding::Edge::shift, encoding::Edge::zero, encoding::Edge::drop}) {
      const auto design = encoding::Design::fir(delays, edge);
      const MatrixD expected = whole_design(x, ranges, design);
      for (const Index most : {1, 2, 5, 100}) {
        const MatrixSource source(file, cut(usable(runs, design), most), design);
        ASSERT_EQ(source.total_rows(), expected.rows());
        ASSERT_EQ(source.columns(), expected.cols());
        Index row = 0;
        for (Index block = 0; block < source.blocks(); ++block) {
          const MatrixD part = source.read(block);
          EXPECT_EQ(part, expected.middleRows(row, part.rows()))
              << "first delay " << delays[0] << ", edge " << encoding::name(edge) << ", pieces of " << most;
          row += part.rows();
        }
      }
    }
  }
}

TEST_F(MatrixInputs, ColumnsCanBeReadAlone) {
  const MatrixD x = MatrixD::Random(10, 4);
  const auto file = write("x", x);
  const auto runs = read_runs("", io::MatrixFile(file));
  const MatrixSource plain(file, cut(runs, 4));
  EXPECT_EQ(plain.read(1, {1, 3}), x.block(4, 1, 4, 2));
  const auto design = encoding::Design::fir({1, 0}, encoding::Edge::zero);
  const MatrixSource delayed(file, cut(runs, 4), design);
  EXPECT_EQ(delayed.read(2, {4, 8}), x.middleRows(8, 2));
  EXPECT_EQ(delayed.read(2, {0, 4}), x.middleRows(7, 2));
}

}  // namespace
