#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/script.h>

#include <cmath>
#include <numeric>

#include "cinecortex/core/error.hpp"
#include "cinecortex/models/runtime.hpp"
#include "factories.hpp"
#include "script_feed.hpp"

namespace cinecortex::models {
namespace {

/// The line of a tensor library's message that says what went wrong: for errors inside of the module the last
/// one (the script's traceback stands before it), for others the first.
std::string one_line(const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  const std::string text = torch_error != nullptr ? torch_error->what_without_backtrace() : error.what();
  const bool traceback = text.find("Traceback of TorchScript") != std::string::npos;
  const std::size_t last = text.find_last_not_of(" \n\r\t");
  if (last == std::string::npos) return "no message";
  if (!traceback) return text.substr(0, std::min(text.find('\n'), last + 1));
  const std::size_t line = text.rfind('\n', last);
  return text.substr(line == std::string::npos ? 0 : line + 1,
                     last - (line == std::string::npos ? 0 : line + 1) + 1);
}

/// A scripted module with one tensor argument and one tensor result, in batches of a fixed size.
class ScriptModule {
 public:
  ScriptModule(std::filesystem::path file, const std::string& device, Index batch, const ScriptFeed& feed)
      : file_(std::move(file)),
        device_(device),
        batch_(batch),
        integral_(feed.integral()),
        shape_(feed.shape()) {
    load();
    shape_.insert(shape_.begin(), batch_);
    const std::vector<float> nothing(static_cast<std::size_t>(batch_ * slot_size()), 0.0f);
    width_ = run(nothing).cols();
    if (width_ == 0) fail("its result has no values");
  }

  Index batch() const { return batch_; }
  Index width() const { return width_; }
  Index slot_size() const {
    return std::accumulate(shape_.begin() + 1, shape_.end(), Index{1}, std::multiplies<>());
  }

  /// @param values  [batch, slot_size]     @return [batch, width]
  MatrixF run(const std::vector<float>& values) {
    const c10::InferenceMode inference;
    at::Tensor result;
    try {
      auto input = at::from_blob(const_cast<float*>(values.data()), shape_, at::kFloat);
      if (integral_) input = input.to(at::kLong);
      const auto output = module_.forward({input.to(device_)});
      if (!output.isTensor()) fail(fmt::format("its result is a {}, not one tensor", output.tagKind()));
      result = output.toTensor();
      check_shape(result);
      result = result.to(at::kCPU, at::kFloat).reshape({batch_, -1}).contiguous();
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      fail(one_line(error));
    }
    return Eigen::Map<const MatrixF>(result.const_data_ptr<float>(), result.size(0), result.size(1));
  }

 private:
  void load() {
    try {
      module_ = torch::jit::load(file_.string(), device_);
      module_.eval();
    } catch (const std::exception& what) {
      throw InputError(
          fmt::format("{}: not a TorchScript file, as torch.jit.save writes it (a state_dict or a pickled "
                      "model cannot be used): {}",
                      file_.string(), one_line(what)));
    }
  }

  void check_shape(const at::Tensor& result) const {
    if (result.dim() < 1 || result.size(0) != batch_) {
      fail(fmt::format("its result has the shape [{}]; allowed: [{}, …], one row a TR of the batch",
                       fmt::join(result.sizes(), ", "), batch_));
    }
    if (result.is_complex()) fail("its result is complex; allowed: real numbers");
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw InputError(fmt::format("{}: the module was fed {} [{}]: {}", file_.string(),
                                 integral_ ? "int64" : "float32", fmt::join(shape_, ", "), what));
  }

  std::filesystem::path file_;
  at::Device device_;
  Index batch_;
  bool integral_;
  std::vector<std::int64_t> shape_;
  torch::jit::Module module_;
  Index width_ = 0;
};

class TorchScript final : public Extractor {
 public:
  TorchScript(const Options& options, const ModelConfig& config, std::string identity)
      : file_(config.weights),
        identity_(std::move(identity)),
        feed_(make_script_feed(options, config.tr_s)),
        module_(config.weights, resolve_device(config.device), options.integer("batch"), *feed_) {
    readings_.push_back({.name = "", .width = module_.width(), .columns = {}});
  }

  Needs needs() const override { return feed_->needs(); }
  const std::vector<Reading>& readings() const override { return readings_; }
  std::string identity() const override { return identity_; }
  std::optional<FrameRequest> frame_request(const RunInfo&, Range rows) const override {
    return feed_->frame_request(rows);
  }

  /// A TR always takes the same slot of a batch of the same size, and free slots repeat a TR, so that the
  /// module's rounding cannot depend on the chunk.
  void extract(const Stimulus& stimulus, Range rows, std::span<MatrixF> outputs) override {
    const Index batch = module_.batch(), size = module_.slot_size();
    std::vector<float> values(static_cast<std::size_t>(batch * size));
    for (Index first = rows.begin / batch * batch; first < rows.end; first += batch) {
      const Range own{std::max(first, rows.begin), std::min(first + batch, rows.end)};
      for (Index slot = 0; slot < batch; ++slot) {
        const Index row = std::clamp(first + slot, own.begin, own.end - 1);
        feed_->fill(stimulus, rows, row, {values.data() + slot * size, static_cast<std::size_t>(size)});
      }
      const MatrixF result = module_.run(values);
      check_width(stimulus.info, result);
      auto out = outputs[0].middleRows(own.begin - rows.begin, own.size());
      out = result.middleRows(own.begin - first, own.size());
      check_finite(stimulus.info, own, out);
    }
  }

 private:
  void check_width(const RunInfo& info, const MatrixF& result) const {
    if (result.cols() == module_.width()) return;
    throw InputError(fmt::format("{}: run {}: the module gave {} values a TR, but {} when it was loaded",
                                 file_.string(), info.run, result.cols(), module_.width()));
  }

  void check_finite(const RunInfo& info, Range rows, const Eigen::Ref<const MatrixF>& values) const {
    for (Index i = 0; i < values.rows(); ++i) {
      for (Index j = 0; j < values.cols(); ++j) {
        if (std::isfinite(values(i, j))) continue;
        throw InputError(
            fmt::format("{}: run {}, TR {}: the module gave {} in column {}; features have to be finite",
                        file_.string(), info.run, rows.begin + i, values(i, j), j));
      }
    }
  }

  std::filesystem::path file_;
  std::string identity_;
  std::unique_ptr<ScriptFeed> feed_;
  ScriptModule module_;
  std::vector<Reading> readings_;
};

}  // namespace

std::unique_ptr<Extractor> make_torchscript(const Options& options, const ModelConfig& config) {
  if (std::error_code error; !std::filesystem::is_regular_file(config.weights, error)) {
    throw InputError(
        fmt::format("{}: there is no such file (weights of model torchscript)", config.weights.string()));
  }
  Digest identity;
  identity.add("torchscript 1").add(config.tr_s).add(file_digest(config.weights));
  options.add_to(identity);
  return std::make_unique<TorchScript>(options, config, identity.hex());
}

}  // namespace cinecortex::models
