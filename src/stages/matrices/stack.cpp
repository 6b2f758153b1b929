#include "cinecortex/encoding/stacking.hpp"

#include <fmt/format.h>

#include <memory>
#include <set>

#include "cinecortex/core/clock.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "inputs.hpp"
#include "model_files.hpp"
#include "outputs.hpp"
#include "stack_weights.hpp"

namespace cinecortex::stages::matrices {
namespace {

class StackFiles final : public encoding::StackData {
 public:
  StackFiles(const StackConfig& config, const std::vector<Piece>& runs) : y_(config.y, runs) {
    for (const auto& where : config.predictions) predictions_.emplace_back(where, runs);
  }
  Index blocks() const override { return y_.blocks(); }
  Index models() const override { return static_cast<Index>(predictions_.size()); }
  Index targets() const override { return y_.columns(); }
  std::string name(Index block) const override { return y_.piece(block).name; }
  Index total_rows() const { return y_.total_rows(); }
  Block read(Index block, Range targets) const override {
    Block result{y_.read(block, targets), {}};
    for (const auto& prediction : predictions_) result.predictions.push_back(prediction.read(block, targets));
    return result;
  }

 private:
  MatrixSource y_;
  std::vector<MatrixSource> predictions_;
};

std::unique_ptr<StackFiles> open(const StackConfig& config) {
  auto inputs = config.predictions;
  inputs.push_back(config.y);
  inputs.push_back(config.groups);
  check_output(config.output, {".h5", ".hdf5"}, inputs);
  const io::MatrixFile y(config.y);
  for (const auto& prediction : config.predictions) require_same_shape(io::MatrixFile(prediction), y);
  return std::make_unique<StackFiles>(config, read_runs(config.groups, y));
}

/// Models are called after their files; where that is not enough, a number is added. A name is part of an
/// HDF5 path.
std::vector<std::string> model_names(const std::vector<std::string>& predictions) {
  std::vector<std::string> names;
  std::set<std::string> taken;
  for (const auto& where : predictions) {
    const auto cut = where.rfind(":/");
    const auto stem = std::filesystem::path(where.substr(0, cut)).stem().string();
    std::string name = cut == std::string::npos ? stem : stem + where.substr(cut);
    for (char& c : name) {
      if (c == '/') c = '_';
    }
    const std::string plain = name;
    for (int copy = 2; !taken.insert(name).second; ++copy) name = fmt::format("{} ({})", plain, copy);
    names.push_back(name);
  }
  return names;
}

}  // namespace

Summary stack(const StackConfig& config, const parallel::Communicator& comm) {
  const Stopwatch clock;
  const auto data = parallel::agree(comm, [&] { return open(config); });
  const auto names = model_names(config.predictions);
  auto inputs = config.predictions;
  inputs.push_back(config.y);
  inputs.push_back(config.groups);
  const auto digest = job_digest(
      "stack", inputs, [&](Digest& d) { d.add(config.method); }, comm);
  const auto plan = fmt::format("stack: {} models, {} rows, {} targets, method {}", data->models(),
                                data->total_rows(), data->targets(), config.method);
  if (auto summary = nothing_to_do("stack", config.output, digest, config.handling, plan, comm))
    return *summary;

  // Weights for data that lack one of the models, as a silent movie lacks the text.
  std::vector<std::vector<Index>> without;
  if (data->models() > 1) {
    for (Index k = 0; k < data->models(); ++k) without.push_back({k});
  }
  const auto fit = encoding::fit_stack(*data, config.method, without, comm);
  std::vector<std::string> blocks;
  for (Index block = 0; block < data->blocks(); ++block) blocks.push_back(data->name(block));
  write_stack(config.output, fit, data->targets(), names,
              without.empty() ? std::vector<std::string>{} : names, blocks,
              {{digest_attribute, digest}, {"method", config.method}}, comm);

  const auto means = mean_weights(fit, data->targets(), config.method, names, "", comm);
  Summary summary{.stage = "stack", .seconds = clock.seconds(), .done = 1, .outputs = {config.output}};
  summary.text = fmt::format("Stack of {} models by {}, {} rows, {} targets\n", names.size(), config.method,
                             data->total_rows(), data->targets());
  for (std::size_t k = 0; k < names.size(); ++k) {
    summary.text += fmt::format("  mean weight {:7.4f}   {}\n", means[k], names[k]);
  }
  summary.details = {{"models", names}, {"mean_weights", means}, {"targets", data->targets()}};
  return summary;
}

}  // namespace cinecortex::stages::matrices
