// Parallel HDF5: what all ranks write together is what one process reads, written collectively.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include <filesystem>
#include <fstream>

#include "cinecortex/io/hdf5.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::io {
namespace {

using parallel::Communicator;
namespace fs = std::filesystem;

double value_at(Index row, Index column) {
  return static_cast<double>(row) + 1e-3 * static_cast<double>(column);
}

MatrixD planted(Range rows, Range columns) {
  return MatrixD::NullaryExpr(rows.size(), columns.size(),
                              [&](Index r, Index c) { return value_at(rows.begin + r, columns.begin + c); });
}

/// A folder that all ranks share, gone at the end.
class ParallelHdf5 : public ::testing::Test {
 protected:
  ParallelHdf5() : comm_(Communicator::world()) {
    std::string name;
    if (comm_.root()) {
      name = (fs::temp_directory_path() / ("cinecortex-io-" + std::to_string(::getpid()))).string();
      fs::create_directories(name);
    }
    comm_.broadcast(name);
    folder_ = name;
  }
  ~ParallelHdf5() override {
    comm_.barrier();
    std::error_code ignored;
    if (comm_.root()) fs::remove_all(folder_, ignored);
    comm_.barrier();
  }
  fs::path file(const std::string& name) const { return folder_ / name; }

  Communicator comm_;
  fs::path folder_;
};

/// What `fn` throws as an InputError, or "".
template <class Fn>
std::string input_error(Fn&& fn) {
  try {
    fn();
  } catch (const InputError& e) {
    return e.what();
  }
  return "";
}

TEST_F(ParallelHdf5, ColumnBlocksOfEveryRankAreReadBack) {
  constexpr Index rows = 37, columns = 41;
  TransferReport report;
  {
    Hdf5Writer writer(file("a.h5"), comm_, {{"experiment_digest", std::string("abc")}});
    writer.create("/weights", {rows, columns}, {Stored::float64, {{"units", std::string("z")}}, {}});
    const Range mine = partition(columns, comm_.size(), comm_.rank());
    writer.write<double>("/weights", planted({0, rows}, mine), 0, mine.begin);
    report = writer.report();
    EXPECT_TRUE(fs::exists(file("a.h5.partial")));
    EXPECT_FALSE(fs::exists(file("a.h5")));
    comm_.barrier();
    writer.commit();
  }
  comm_.barrier();
  EXPECT_EQ(report.writes, 1);
  EXPECT_EQ(report.collective, report.writes);
  EXPECT_FALSE(fs::exists(file("a.h5.partial")));
  Hdf5Reader reader(file("a.h5"));
  EXPECT_EQ(reader.read<double>("/weights"), planted({0, rows}, {0, columns}));
  EXPECT_EQ(std::get<std::string>(*reader.attribute("/", "experiment_digest")), "abc");
  EXPECT_FALSE(std::get<std::string>(*reader.attribute("/", "cinecortex_version")).empty());
  EXPECT_EQ(std::get<std::string>(*reader.attribute("/", "created")).size(), 20u);
  EXPECT_EQ(std::get<std::string>(*reader.attribute("/weights", "units")), "z");
}

TEST_F(ParallelHdf5, ManyPiecesOfDifferentNumberAreAllCollective) {
  // Transfers of 4 KiB cut the blocks; the last rank has none, the others differ.
  constexpr Index rows = 2000, columns = 700;
  TransferReport report;
  {
    Hdf5Writer writer(file("b.h5"), comm_, {}, {.transfer_bytes = 4096, .verify = true});
    writer.create("/x", {rows, columns}, {Stored::float32, {}, {}});
    const int busy = std::max(1, comm_.size() - 1);
    const Range mine = comm_.rank() < busy ? partition(rows, busy, comm_.rank()) : Range{};
    const Range part{mine.begin, mine.begin + std::min<Index>(mine.size(), 40 + 3 * comm_.rank())};
    writer.write<float>("/x", planted(part, {0, columns}).cast<float>(), part.begin, 0);
    const Range rest{part.end, mine.end};
    // A strided block: every column but the first and last is inside a wider matrix.
    const MatrixD wide = planted(rest, {-1, columns + 1});
    writer.write<double>("/x", wide.middleCols(1, columns), rest.begin, 0);
    report = writer.report();
    writer.commit();
  }
  EXPECT_GT(report.writes, 10);
  EXPECT_EQ(report.collective, report.writes);
  EXPECT_LE(report.largest_bytes, 4096);
  EXPECT_EQ(comm_.max(std::int64_t{report.writes}), comm_.min(std::int64_t{report.writes}));
  const MatrixF expected = planted({0, rows}, {0, columns}).cast<float>();
  EXPECT_EQ(Hdf5Reader(file("b.h5")).read<float>("/x"), expected);
}

TEST_F(ParallelHdf5, VectorsTextsScalesAndSmallMatrices) {
  const Index targets = 1000;
  const VectorD alphas = VectorD::LinSpaced(5, 1, 5);
  const std::vector<std::string> names{"audio", "Größe", ""};
  {
    Hdf5Writer writer(file("c.h5"), comm_, {});
    // Rank 0's values count, also where others hold none.
    writer.put("/alphas", comm_.root() ? alphas : VectorD(), {Stored::float64, {}, {}});
    writer.put("/models", comm_.root() ? names : std::vector<std::string>{}, {});
    writer.put("/counts", VectorD(VectorD::LinSpaced(4, 0, 3)), {Stored::int64, {}, {}});
    writer.create("/deep/er/mse", {5, targets}, {Stored::float32, {}, {"/alphas", "target"}});
    const Range mine = partition(targets, comm_.size(), comm_.rank());
    writer.write<double>("/deep/er/mse", planted({0, 5}, mine), 0, mine.begin);
    writer.create("/alpha", {targets}, {Stored::float64, {}, {"target"}});
    writer.write_vector("/alpha", VectorD::Constant(mine.size(), comm_.rank()), mine.begin);
    writer.put("/small", planted({0, 3}, {0, 2}), {Stored::float16, {}, {}});
    writer.create("/nothing", {0, 7}, {Stored::float32, {}, {}});
    writer.write<double>("/nothing", MatrixD(0, 7), 0, 0);
    writer.set_attribute("/deep", "edges", std::vector<double>{1.5, 2.5});
    writer.set_attribute("/deep", "names", names);
    writer.set_attribute("/deep", "names", std::vector<std::string>{"replaced"});
    EXPECT_EQ(writer.report().collective, writer.report().writes);
    writer.commit();
  }
  Hdf5Reader reader(file("c.h5"));
  EXPECT_EQ(reader.children(),
            (std::vector<std::string>{"alpha", "alphas", "counts", "deep", "models", "nothing", "small"}));
  EXPECT_EQ(reader.read_vector("/alphas"), alphas);
  EXPECT_EQ(reader.read_strings("/models"), names);
  EXPECT_EQ(reader.info("/counts").type, Stored::int64);
  EXPECT_EQ(reader.read_vector("/counts")(3), 3.0);
  EXPECT_EQ(reader.info("/nothing").shape, (std::vector<Index>{0, 7}));
  EXPECT_EQ(reader.read<double>("/nothing").cols(), 7);
  EXPECT_EQ(reader.info("/small").type, Stored::float16);
  EXPECT_TRUE(reader.read<double>("/small").isApprox(planted({0, 3}, {0, 2}), 1e-3));
  const MatrixF mse = planted({0, 5}, {0, targets}).cast<float>();
  EXPECT_EQ(reader.read<float>("/deep/er/mse"), mse);
  EXPECT_EQ(std::get<std::vector<double>>(*reader.attribute("/deep", "edges")),
            (std::vector<double>{1.5, 2.5}));
  EXPECT_EQ(std::get<std::vector<std::string>>(*reader.attribute("/deep", "names")),
            (std::vector<std::string>{"replaced"}));
  EXPECT_EQ(std::get<std::string>(*reader.attribute("/alphas", "CLASS")), "DIMENSION_SCALE");
  const VectorD alpha = reader.read_vector("/alpha");
  for (int rank = 0; rank < comm_.size(); ++rank) {
    const Range theirs = partition(targets, comm_.size(), rank);
    EXPECT_EQ(alpha.segment(theirs.begin, theirs.size()), VectorD::Constant(theirs.size(), rank));
  }
}

TEST_F(ParallelHdf5, EveryHalfOfASplitCommunicatorWritesAFileOfItsOwn) {
  const int colour = comm_.rank() % 2;
  const Communicator half = comm_.split(colour, comm_.rank());
  const fs::path name = file("half" + std::to_string(colour) + ".h5");
  {
    Hdf5Writer writer(name, half, {});
    writer.create("/x", {half.size(), 3}, {});
    writer.write<double>("/x", MatrixD::Constant(1, 3, comm_.rank()), half.rank(), 0);
    EXPECT_EQ(writer.report().collective, writer.report().writes);
    writer.commit();
  }
  const MatrixD all = Hdf5Reader(name).read<double>("/x");
  ASSERT_EQ(all.rows(), half.size());
  EXPECT_EQ(all(half.rank(), 2), comm_.rank());
}

TEST_F(ParallelHdf5, WithoutCommitOnlyThePartialStaysAndTheNextWriterReplacesIt) {
  {
    Hdf5Writer writer(file("d.h5"), comm_, {});
    writer.put("/x", MatrixD(MatrixD::Ones(50, 50)), {});
  }
  comm_.barrier();
  EXPECT_FALSE(fs::exists(file("d.h5")));
  EXPECT_TRUE(fs::exists(file("d.h5.partial")));
  comm_.barrier();
  if (comm_.root()) std::ofstream(file("d.h5.partial")) << "left by a crash";
  {
    Hdf5Writer writer(file("d.h5"), comm_, {});
    writer.put("/y", MatrixD(MatrixD::Ones(2, 2)), {});
    writer.commit();
    EXPECT_THROW(writer.commit(), Error);
  }
  Hdf5Reader reader(file("d.h5"));
  EXPECT_EQ(reader.children(), std::vector<std::string>{"y"});
}

TEST_F(ParallelHdf5, AValueThatDoesNotFitOnOneRankIsTheSameErrorOnAll) {
  Hdf5Writer writer(file("e.h5"), comm_, {});
  writer.create("/x", {comm_.size(), 4}, {Stored::float16, {}, {}});
  MatrixD mine = MatrixD::Zero(1, 4);
  const int last = comm_.size() - 1;
  if (comm_.rank() == last) mine(0, 2) = 70000;
  const std::string message = input_error([&] { writer.write<double>("/x", mine, comm_.rank(), 0); });
  EXPECT_NE(message.find("70000 at row " + std::to_string(last) + ", column 2"), std::string::npos)
      << message;
  const auto all = comm_.gather(message);
  for (const auto& other : all) EXPECT_EQ(other, message);
  // The writer is still in step: what fits can be written.
  mine.setConstant(0.5);
  writer.write<double>("/x", mine, comm_.rank(), 0);
  writer.commit();
  EXPECT_EQ(Hdf5Reader(file("e.h5")).read<double>("/x"), MatrixD::Constant(comm_.size(), 4, 0.5));
}

TEST_F(ParallelHdf5, NaNAndInfinityPassButNoIntegerHoldsThem) {
  Hdf5Writer writer(file("n.h5"), comm_, {});
  VectorD values(2);
  values << std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::infinity();
  writer.put("/half", values, {Stored::float16, {}, {}});
  EXPECT_THROW(writer.put("/whole", values, {Stored::int64, {}, {}}), InputError);
  writer.commit();
  const VectorD back = Hdf5Reader(file("n.h5")).read_vector("/half");
  EXPECT_TRUE(std::isnan(back(0)));
  EXPECT_EQ(back(1), values(1));
}

TEST_F(ParallelHdf5, AFailureOfOneRankBesidesTheWriterLeavesNoFinalFileAndNoHang) {
  const auto stage = [&] {
    Hdf5Writer writer(file("f.h5"), comm_, {});
    writer.create("/x", {10}, {});
    parallel::agree(comm_, [&] {
      if (comm_.rank() == comm_.size() - 1) throw std::runtime_error("rank broke");
    });
    writer.commit();
  };
  EXPECT_THROW(stage(), StageError);
  comm_.barrier();
  EXPECT_FALSE(fs::exists(file("f.h5")));
  // The same name can be written again in the same program.
  {
    Hdf5Writer writer(file("f.h5"), comm_, {});
    writer.put("/x", MatrixD(MatrixD::Identity(3, 3)), {});
    writer.commit();
  }
  EXPECT_EQ(Hdf5Reader(file("f.h5")).read<double>("/x"), MatrixD::Identity(3, 3));
}

TEST_F(ParallelHdf5, AFolderThatCannotBeMadeIsOneErrorEverywhere) {
  if (comm_.root()) std::ofstream(file("plain")) << "a file";
  comm_.barrier();
  const std::string message =
      input_error([&] { Hdf5Writer writer(file("plain") / "sub" / "x.h5", comm_, {}); });
  EXPECT_NE(message.find("plain"), std::string::npos);
  for (const auto& other : comm_.gather(message)) EXPECT_EQ(other, message);
  const std::string folder = input_error([&] { Hdf5Writer writer(folder_, comm_, {}); });
  EXPECT_NE(folder.find("is a folder"), std::string::npos);
}

TEST_F(ParallelHdf5, ADataSetLargerThanTheDiskIsRefusedWhenItIsCreated) {
  Hdf5Writer writer(file("g.h5"), comm_, {});
  const std::string message = input_error([&] {
    writer.create("/x", {Index{1} << 22, Index{1} << 20}, {Stored::float64, {}, {}});  // 32 TiB
  });
  EXPECT_NE(message.find("g.h5"), std::string::npos) << message;
  for (const auto& other : comm_.gather(message)) EXPECT_EQ(other, message);
}

/// Lets this process make files of at most `bytes`: to the writer the same as a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST_F(ParallelHdf5, AFullDiskIsOneErrorEverywhereAndNoHang) {
  Hdf5Writer writer(file("full.h5"), comm_, {});
  std::string message;
  {
    const FileSizeLimit limit(256 << 10);
    writer.create("/small", {16, 16}, {});
    message = input_error([&] { writer.create("/x", {1000, 1000}, {Stored::float64, {}, {}}); });
  }
  EXPECT_NE(message.find("full.h5.partial: File too large"), std::string::npos) << message;
  for (const auto& other : comm_.gather(message)) EXPECT_EQ(other, message);
  EXPECT_FALSE(fs::exists(file("full.h5")));
}

// The space is taken beforehand because of what follows here: Open MPI reports no failed write, and with several
// ranks may wait for ever. So every rank has a file of its own.
TEST_F(ParallelHdf5, LostDataAreNoticedWhenTheyAreReadBack) {
  const Communicator self = comm_.split(comm_.rank(), 0);
  const fs::path name = file("lost" + std::to_string(comm_.rank()) + ".h5");
  Hdf5Writer writer(name, self, {}, {.verify = true});
  writer.create("/x", {1000, 1000}, {Stored::float64, {}, {}});
  const FileSizeLimit limit(256 << 10);
  const MatrixD values = planted({0, 1000}, {0, 1000});
  const std::string message = input_error([&] { writer.write<double>("/x", values, 0, 0); });
  EXPECT_NE(message.find(name.string() + ".partial could not be written"), std::string::npos) << message;
}

TEST_F(ParallelHdf5, ALostStructureIsNoticedBeforeTheFileGetsItsName) {
  const Communicator self = comm_.split(comm_.rank(), 0);
  const fs::path name = file("lost" + std::to_string(comm_.rank()) + ".h5");
  Hdf5Writer writer(name, self, {});
  writer.create("/x", {1000, 1000}, {Stored::float64, {}, {}});
  writer.put("/behind", MatrixD(MatrixD::Ones(30, 40)), {Stored::float64, {}, {}});
  const FileSizeLimit limit(1 << 10);
  const std::string message = input_error([&] { writer.commit(); });
  EXPECT_NE(message.find(name.string() + ".partial"), std::string::npos) << message;
  EXPECT_FALSE(fs::exists(name));
}

TEST_F(ParallelHdf5, MisuseIsRefusedOnEveryRankBeforeAnythingCollective) {
  EXPECT_THROW(Hdf5Writer(file("h.h5"), comm_, {}, {.transfer_bytes = 0}), Error);
  EXPECT_THROW(Hdf5Writer(file("h.h5"), comm_, {}, {.transfer_bytes = Index{1} << 31}), Error);
  Hdf5Writer writer(file("h.h5"), comm_, {});
  writer.create("/x", {4, 4}, {});
  EXPECT_THROW(writer.create("/x", {4, 4}, {}), Error);
  EXPECT_THROW(writer.create("x", {4, 4}, {}), Error);
  EXPECT_THROW(writer.create("/y", {}, {}), Error);
  EXPECT_THROW(writer.create("/y", {-1}, {}), Error);
  EXPECT_THROW(writer.create("/y", {4}, {Stored::float32, {}, {"/missing"}}), Error);
  EXPECT_THROW(writer.write<double>("/z", MatrixD::Zero(1, 1), 0, 0), Error);
  const Index far = comm_.root() ? 4 : 0;  // only rank 0 is out of bounds
  EXPECT_THROW(writer.write<double>("/x", MatrixD::Zero(comm_.root() ? 1 : 0, 1), far, 0), Error);
  writer.commit();
}

}  // namespace
}  // namespace cinecortex::io
