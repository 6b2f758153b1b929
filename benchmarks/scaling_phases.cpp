#include "scaling_phases.hpp"

#include <numeric>

#include "cinecortex/encoding/pca.hpp"
#include "cinecortex/encoding/stacking.hpp"
#include "cinecortex/io/hdf5.hpp"
#include "made_up_runs.hpp"

namespace cinecortex::benchmarks {
namespace {

constexpr Index run_rows = 480;

/// Predictions that are the truth and noise of their own, of this rank's targets, in memory.
class MadeUpPredictions final : public encoding::StackData {
 public:
  MadeUpPredictions(Index rows, Index targets, Range local) : targets_(targets), local_(local) {
    for (Index begin = 0; begin < rows; begin += run_rows) {
      const Index count = std::min(run_rows, rows - begin);
      Block block{values(0, begin, count), {}};
      for (Index k = 1; k <= models(); ++k) {
        block.predictions.push_back(block.y + static_cast<double>(k) * values(k, begin, count));
      }
      blocks_.push_back(std::move(block));
    }
  }
  Index blocks() const override { return std::ssize(blocks_); }
  Index models() const override { return 6; }
  Index targets() const override { return targets_; }
  std::string name(Index block) const override { return "run " + std::to_string(block + 1); }
  Block read(Index block, Range targets) const override {
    const Block& all = blocks_[static_cast<std::size_t>(block)];
    const Index first = targets.begin - local_.begin;
    Block part{all.y.middleCols(first, targets.size()), {}};
    for (const auto& prediction : all.predictions) {
      part.predictions.push_back(prediction.middleCols(first, targets.size()));
    }
    return part;
  }

 private:
  MatrixD values(Index seed, Index begin, Index count) const {
    MatrixD made(count, local_.size());
    for (Index i = 0; i < count; ++i) {
      for (Index j = 0; j < local_.size(); ++j) {
        made(i, j) = hashed(static_cast<std::uint64_t>(seed), begin + i, local_.begin + j);
      }
    }
    return made;
  }
  Index targets_;
  Range local_;
  std::vector<Block> blocks_;
};

}  // namespace

void time_network(Phases& phases, const parallel::Communicator& comm) {
  constexpr int repeats = 200;
  comm.sum(1.0);
  phases.run("sums of one number", [&] {
    double sum = 0;
    for (int i = 0; i < repeats; ++i) sum += comm.sum(1.0);
    return sum;
  });
  std::vector<double> many(std::size_t{1} << 23, 1.0);
  comm.sum(std::span(many));
  phases.run("sum of 8 million", [&] {
    comm.sum(std::span(many));
    return many.front();
  });
}

void time_components(Phases& phases, Index rows, Index columns, const parallel::Communicator& comm) {
  MadeUpDesign features(rows, run_rows, columns);
  features.keep_all();
  const encoding::PcaOptions options{.components = columns / 10, .fit_every = 1};
  phases.run("components", [&] { return encoding::fit_pca(features, options, comm); });
}

void time_stacking(Phases& phases, Index rows, Index targets, const parallel::Communicator& comm) {
  const MadeUpPredictions data(rows, targets, partition(targets, comm.size(), comm.rank()));
  phases.run("stacking", [&] { return encoding::fit_stack(data, "simplex", {}, comm); });
}

void time_files(Phases& phases, const std::filesystem::path& folder, Index rows, Index targets,
                const parallel::Communicator& comm) {
  const auto file = folder / "scaling.h5";
  const Range local = partition(targets, comm.size(), comm.rank());
  const MatrixF mine = MatrixF::Constant(rows, local.size(), 1.5F);
  const auto write = [&] {
    io::Hdf5Writer writer(file, comm, {});
    writer.create("/values", {rows, targets}, {.attributes = {{"description", std::string("made up")}}});
    writer.write<float>("/values", mine, 0, local.begin);
    writer.commit();
    return 0;
  };
  write();  // MPI-IO and the file system set themselves up
  phases.run("writing", write);
  phases.run("reading", [&] { return io::Hdf5Reader(file).read<float>("/values", {0, rows}, local).sum(); });
  if (comm.root()) std::filesystem::remove(file);
}

}  // namespace cinecortex::benchmarks
