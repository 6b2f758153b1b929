#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "cinecortex/core/clock.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "inputs.hpp"
#include "model_files.hpp"
#include "prediction_file.hpp"

namespace cinecortex::stages::matrices {
namespace {

/// The design that a ridge file was fitted with. @throws InputError naming the file, if it is damaged.
encoding::Design stored_design(const io::Hdf5Reader& reader) {
  const auto delays = reader.attribute("/", "delays_tr");
  const auto edge = reader.attribute("/", "edge");
  std::vector<double> numbers;
  if (delays) {
    if (const auto* list = std::get_if<std::vector<double>>(&*delays)) numbers = *list;
    if (const auto* one = std::get_if<double>(&*delays)) numbers = {*one};
  }
  const auto* edge_name = edge ? std::get_if<std::string>(&*edge) : nullptr;
  if (numbers.empty() || !edge_name) {
    throw InputError(
        fmt::format("{}: the attributes delays_tr and edge are missing or damaged; fit the model again",
                    reader.file().string()));
  }
  return encoding::Design::fir({numbers.begin(), numbers.end()}, encoding::parse_edge(*edge_name));
}

struct Inputs {
  io::Hdf5Reader model;
  MatrixSource x;
  Index targets;
};

std::unique_ptr<Inputs> open(const PredictConfig& config) {
  check_output(config.output, {".npy", ".h5", ".hdf5"}, {config.model.string(), config.x, config.groups});
  io::Hdf5Reader model(config.model);
  check_model_file(model, "ridge");
  const auto shape = model.info("/weights").shape;
  const auto intercept = model.info("/intercept").shape;
  if (shape.size() != 2 || intercept != std::vector<Index>{shape[1]}) {
    throw InputError(
        fmt::format("{}: /weights [{}] and /intercept [{}] do not fit each other; fit the model again",
                    config.model.string(), fmt::join(shape, ", "), fmt::join(intercept, ", ")));
  }
  const auto design = stored_design(model).for_prediction();
  const io::MatrixFile x(config.x);
  const auto delays = static_cast<Index>(design.delays().size());
  if (design.columns(x.columns()) != shape[0]) {
    throw InputError(fmt::format("{} has {} columns, but {} was fitted on {} ({} delays × {})", config.x,
                                 x.columns(), config.model.string(), shape[0] / delays, delays,
                                 shape[0] / delays));
  }
  auto pieces = cut(read_runs(config.groups, x), rows_per_piece(shape[0] + shape[1]));
  return std::make_unique<Inputs>(
      Inputs{std::move(model), MatrixSource(config.x, std::move(pieces), design), shape[1]});
}

/// Targets whose weights fit a rank's memory beside everything else.
Index targets_per_pass(Index columns) {
  constexpr Index weight_bytes = Index{512} << 20;
  return std::max<Index>(1, weight_bytes / (8 * std::max<Index>(columns, 1)));
}

}  // namespace

Summary predict(const PredictConfig& config, const parallel::Communicator& comm) {
  const Stopwatch clock;
  const auto inputs = parallel::agree(comm, [&] { return open(config); });
  const auto& x = inputs->x;
  const auto plan =
      fmt::format("predict: {} rows of {} targets from {}", x.total_rows(), inputs->targets, config.x);
  if (auto summary = nothing_to_do("predict", config.output, "", config.handling, plan, comm))
    return *summary;

  const auto output = make_prediction_file(config.output, x.total_rows(), inputs->targets, comm);
  const Index step = targets_per_pass(x.columns());
  for (Index begin = 0; begin < inputs->targets; begin += step) {
    const Range targets{begin, std::min(begin + step, inputs->targets)};
    const RidgeModel model = parallel::agree(comm, [&] { return read_ridge(inputs->model, targets); });
    for (Index first = 0; first < x.blocks(); first += comm.size()) {
      const Index mine = first + comm.rank();
      const bool busy = mine < x.blocks();
      const MatrixF block = parallel::agree(comm, [&] {
        return busy ? MatrixF(model.predict(x.read(mine)).cast<float>()) : MatrixF(0, targets.size());
      });
      output->write(block, busy ? x.piece(mine).file_rows().begin : 0, targets.begin);
    }
  }
  output->commit();

  Summary summary{.stage = "predict", .seconds = clock.seconds(), .done = 1, .outputs = {config.output}};
  summary.text =
      fmt::format("{}: {} rows × {} targets\n", config.output.string(), x.total_rows(), inputs->targets);
  summary.details = {{"rows", x.total_rows()}, {"targets", inputs->targets}};
  return summary;
}

}  // namespace cinecortex::stages::matrices
