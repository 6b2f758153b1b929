#include "model_files.hpp"

#include <fmt/format.h>

#include "cinecortex/linalg/dense.hpp"

namespace cinecortex::stages {
namespace {

using io::Stored;

io::DatasetOptions described(const std::string& description, std::vector<std::string> dimensions,
                             Stored type = Stored::float64) {
  return {.type = type, .attributes = {{"description", description}}, .dimensions = std::move(dimensions)};
}

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

void write_ridge(const std::filesystem::path& file, const encoding::RidgeFit& fit,
                 const encoding::RidgeOptions& options, const encoding::Design& design, Attributes attributes,
                 const parallel::Communicator& comm) {
  attributes["kind"] = std::string("ridge");
  attributes["format_version"] = model_format_version;
  attributes["criterion"] = options.criterion;
  attributes["form"] = fit.form;
  attributes["rows"] = std::int64_t{fit.rows};
  attributes["edge_hits_low"] = std::int64_t{fit.edge_low};
  attributes["edge_hits_high"] = std::int64_t{fit.edge_high};
  attributes["edge"] = std::string(encoding::name(design.edge()));
  attributes["delays_tr"] = std::vector<double>(design.delays().begin(), design.delays().end());
  io::Hdf5Writer writer(file, comm, attributes);
  const Index targets = fit.targets_global;
  const auto local = fit.targets_local;
  const VectorD alphas =
      Eigen::Map<const VectorD>(options.alphas.data(), static_cast<Index>(options.alphas.size()));
  writer.put("/alphas", alphas, described("regularisation strengths tried, in the order given", {"alpha"}));
  write_per_target(writer, "/alpha", fit.alpha, targets, local,
                   "regularisation strength chosen for each target");
  write_columns(writer, "/" + fit.cv_name, fit.cv, static_cast<Index>(options.alphas.size()), targets, local,
                described("what each alpha was judged by (criterion " + options.criterion + ")",
                          {"/alphas", "target"}));
  write_columns(
      writer, "/weights", fit.weights, fit.weights.rows(), targets, local,
      described("prediction = design row · weights + intercept; design columns are delay (oldest first) × "
                "component",
                {"design column", "target"}));
  write_per_target(writer, "/intercept", fit.intercept, targets, local,
                   "unpenalised intercept of each target");
  writer.commit();
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
