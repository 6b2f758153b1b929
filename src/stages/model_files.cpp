#include "model_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "cinecortex/core/log.hpp"
#include "cinecortex/core/memory.hpp"
#include "cinecortex/core/progress.hpp"
#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/parallel/agree.hpp"

namespace cinecortex::stages {
namespace {

/// Creates [rows, t] and writes this rank's columns.
void write_columns(io::Hdf5Writer& writer, const std::string& path, const MatrixD& local, Index rows,
                   Index targets_global, Range targets_local, const io::DatasetOptions& options) {
  writer.create(path, {rows, targets_global}, options);
  writer.write<double>(path, local, 0, targets_local.begin);
}

void write_per_target(io::Hdf5Writer& writer, const std::string& path, const VectorD& local,
                      Index targets_global, Range targets_local, const std::string& description) {
  writer.create(path, {targets_global}, described(description, {"target"}));
  writer.write_vector(path, local, targets_local.begin);
}

}  // namespace

io::DatasetOptions described(const std::string& description, std::vector<std::string> dimensions,
                             io::Stored type) {
  return {.type = type, .attributes = {{"description", description}}, .dimensions = std::move(dimensions)};
}

void put_pca(io::Hdf5Writer& writer, const encoding::Pca& pca) {
  writer.put("/mean", pca.mean, described("mean of the fit rows", {"feature"}));
  writer.put("/scale", pca.scale, described("divisor of the centred features", {"feature"}));
  writer.put("/components", pca.components,
             described("principal axes, orthonormal rows", {"component", "feature"}));
  writer.put("/explained_variance", pca.explained_variance,
             described("variance of each component over the fit rows (ddof 1)", {"component"}));
  writer.put("/explained_variance_ratio", pca.explained_variance_ratio,
             described("share of the total variance", {"component"}));
}

Attributes pca_attributes(const encoding::Pca& pca) {
  const char* scales[] = {"none", "global", "per-run"};
  return {{"kind", std::string("pca")},
          {"format_version", model_format_version},
          {"scale_mode", std::string(scales[static_cast<int>(pca.scale_mode)])},
          {"solver", pca.solver},
          {"fit_rows", std::int64_t{pca.fit_rows}},
          {"orthogonality", pca.orthogonality},
          {"residual", pca.residual}};
}

RidgeFile::RidgeFile(std::filesystem::path file, Index targets_global, const encoding::RidgeOptions& options,
                     const encoding::Design& design, Attributes attributes,
                     const parallel::Communicator& comm)
    : file_(std::move(file)),
      targets_(targets_global),
      options_(options),
      attributes_(std::move(attributes)),
      comm_(comm),
      chosen_(options.alphas.size(), 0) {
  attributes_["kind"] = std::string("ridge");
  attributes_["format_version"] = model_format_version;
  attributes_["criterion"] = options.criterion;
  attributes_["edge"] = std::string(encoding::name(design.edge()));
  attributes_["delays_tr"] = std::vector<double>(design.delays().begin(), design.delays().end());
}

void RidgeFile::create(const encoding::RidgeFit& fit) {
  const auto alphas = static_cast<Index>(options_.alphas.size());
  attributes_["form"] = fit.form;
  attributes_["rows"] = std::int64_t{fit.rows};
  writer_ = std::make_unique<io::Hdf5Writer>(file_, comm_, attributes_);
  writer_->put("/alphas", VectorD(Eigen::Map<const VectorD>(options_.alphas.data(), alphas)),
               described("regularisation strengths tried, in the order given", {"alpha"}));
  writer_->create("/alpha", {targets_},
                  described("regularisation strength chosen for each target", {"target"}));
  writer_->create("/" + fit.cv_name, {alphas, targets_},
                  described("what each alpha was judged by (criterion " + options_.criterion + ")",
                            {"/alphas", "target"}));
  writer_->create(
      "/weights", {fit.weights.rows(), targets_},
      described("prediction = design row · weights + intercept; design columns are delay (oldest first) × "
                "component",
                {"design column", "target"}));
  writer_->create("/intercept", {targets_}, described("unpenalised intercept of each target", {"target"}));
}

void RidgeFile::add(const encoding::RidgeFit& fit, Range targets) {
  if (!writer_) create(fit);
  const Index begin = std::clamp(targets.begin, fit.targets_local.begin, fit.targets_local.end);
  const Index end = std::clamp(targets.end, begin, fit.targets_local.end);
  const Index first = begin - fit.targets_local.begin, count = end - begin;
  const Index to = count > 0 ? begin - targets.begin : 0;
  const VectorD alpha = fit.alpha.segment(first, count);
  writer_->write_vector("/alpha", alpha, to);
  writer_->write<double>("/" + fit.cv_name, fit.cv.middleCols(first, count), 0, to);
  writer_->write<double>("/weights", fit.weights.middleCols(first, count), 0, to);
  writer_->write_vector("/intercept", fit.intercept.segment(first, count), to);
  std::vector<std::int64_t> counts(options_.alphas.size(), 0);
  for (std::size_t a = 0; a < counts.size(); ++a) counts[a] = (alpha.array() == options_.alphas[a]).count();
  comm_.sum(std::span(counts));
  for (std::size_t a = 0; a < counts.size(); ++a) chosen_[a] += counts[a];
  error_bound_ = std::max(error_bound_, fit.cv_error_bound);
}

void RidgeFile::commit() {
  const auto edges = this->edges();
  writer_->set_attribute("/", "edge_hits_low", std::int64_t{edges.low});
  writer_->set_attribute("/", "edge_hits_high", std::int64_t{edges.high});
  if (options_.criterion == "loo") writer_->set_attribute("/", "cv_error_bound", error_bound_);
  writer_->commit();
}

double memory_for_fit(double memory_bytes) {
  if (memory_bytes <= 0) return std::numeric_limits<double>::infinity();
  constexpr double usable = 0.97, little = 0.05;
  if (static_cast<double>(resident_bytes()) > little * memory_bytes) give_back_freed_memory();
  return usable * memory_bytes - static_cast<double>(resident_bytes());
}

encoding::RidgeBudget fitting_budget(const encoding::RidgeShape& shape, double memory_bytes,
                                     const parallel::Communicator& comm) {
  if (memory_bytes <= 0) return {};
  const double left = comm.min(memory_for_fit(memory_bytes));
  return parallel::agree(comm, [&] { return encoding::ridge_budget(shape, left); });
}

void log_targets_at_once(const encoding::RidgeBudget& budget, const encoding::RidgeShape& shape,
                         double memory_bytes) {
  if (budget.targets_at_once == 0 || budget.targets_at_once >= shape.targets) return;
  log::info("ridge: {} of {} targets at a time, to stay within {} a rank", budget.targets_at_once,
            shape.targets, format_bytes(memory_bytes));
}

void write_stack(const std::filesystem::path& file, const encoding::StackFit& fit, Index targets_global,
                 const std::vector<std::string>& models, const std::vector<std::string>& without,
                 const std::vector<std::string>& blocks, Attributes attributes,
                 const parallel::Communicator& comm) {
  attributes["kind"] = std::string("stack");
  attributes["format_version"] = model_format_version;
  io::Hdf5Writer writer(file, comm, attributes);
  const auto count = static_cast<Index>(models.size());
  const auto local = fit.targets_local;
  writer.put("/models", models,
             {.attributes = {{"description", std::string("base models, in the weights' order")}}});
  write_columns(
      writer, "/weights", fit.weights, count, targets_global, local,
      described("stacked prediction = Σ weight × base prediction + intercept", {"model", "target"}));
  write_per_target(writer, "/intercept", fit.intercept, targets_global, local, "intercept of the stack");
  for (std::size_t i = 0; i < without.size(); ++i) {
    write_columns(writer, "/weights_without/" + without[i], fit.weights_without[i], count, targets_global,
                  local, described("weights refitted for runs that lack " + without[i], {"model", "target"}));
    write_per_target(writer, "/intercept_without/" + without[i], fit.intercept_without[i], targets_global,
                     local, "its intercept");
  }
  for (std::size_t i = 0; i < fit.loro_weights.size(); ++i) {
    write_columns(writer, "/loro_weights/" + blocks[i], fit.loro_weights[i], count, targets_global, local,
                  described("weights with run " + blocks[i] + " left out", {"model", "target"}));
  }
  writer.commit();
}

MatrixD RidgeModel::predict(const ConstViewD& design_rows) const {
  MatrixD prediction = intercept.transpose().replicate(design_rows.rows(), 1);
  if (prediction.size() > 0) linalg::gemm(false, false, 1.0, design_rows, weights, 1.0, prediction);
  return prediction;
}

RidgeModel read_ridge(const io::Hdf5Reader& reader, Range targets) {
  const Index columns = reader.info("/weights").shape.at(0);
  return {reader.read<double>("/weights", {0, columns}, targets),
          reader.read<double>("/intercept", targets, {0, 1}).col(0)};
}

void check_model_file(const io::Hdf5Reader& reader, const std::string& kind) {
  const auto file = reader.file().string();
  const auto found = reader.attribute("/", "kind");
  const auto* text = found ? std::get_if<std::string>(&*found) : nullptr;
  if (!text || *text != kind) {
    throw InputError(fmt::format("{}: not a {} model of CineCortex ({})", file, kind,
                                 text ? "it holds: " + *text : "it has no attribute `kind`"));
  }
  const auto version = reader.attribute("/", "format_version");
  const auto* number = version ? std::get_if<std::int64_t>(&*version) : nullptr;
  if (!number || *number != model_format_version) {
    throw InputError(fmt::format("{}: format version {}; this program reads version {}", file,
                                 number ? std::to_string(*number) : "unknown", model_format_version));
  }
}

}  // namespace cinecortex::stages
