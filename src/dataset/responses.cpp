#include "cinecortex/dataset/responses.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cinecortex/core/error.hpp"
#include "cinecortex/io/hdf5.hpp"

namespace cinecortex::dataset {

namespace {

void check_finite(const MatrixF& values, const FmriSource& source, Range targets) {
  if (values.allFinite()) return;
  for (Index row = 0; row < values.rows(); ++row) {
    for (Index column = 0; column < values.cols(); ++column) {
      if (std::isfinite(values(row, column))) continue;
      throw InputError(fmt::format(
          "{}: data set {} holds {} at row {}, parcel {} (counted from 0); fMRI must be finite",
          source.file.string(), source.dataset, values(row, column), row, targets.begin + column));
    }
  }
}

MatrixF read(const FmriSource& source, Range targets) {
  const io::Hdf5Reader reader(source.file);
  MatrixF values = reader.read<float>("/" + source.dataset, {0, source.rows}, targets);
  check_finite(values, source, targets);
  return values;
}

MatrixF average(const std::vector<MatrixF>& repeats) {
  const auto shortest = std::min_element(
      repeats.begin(), repeats.end(), [](const MatrixF& a, const MatrixF& b) { return a.rows() < b.rows(); });
  MatrixD sum = MatrixD::Zero(shortest->rows(), shortest->cols());
  for (const MatrixF& repeat : repeats) sum += repeat.topRows(shortest->rows()).cast<double>();
  return (sum / static_cast<double>(repeats.size())).cast<float>();
}

}  // namespace

Repeats parse_repeats(std::string_view name) {
  if (name == "average") return Repeats::average;
  if (name == "keep") return Repeats::keep;
  throw InputError(fmt::format("data.repeats = \"{}\": allowed are average, keep", name));
}

std::vector<MatrixF> read_responses(const Run& run, int subject, Range targets, Repeats repeats) {
  const auto shown = run.fmri.find(subject);
  if (shown == run.fmri.end() || shown->second.empty()) {
    throw InputError(
        fmt::format("run {}: there is no fMRI of {}", run.id.task, layout::subject_name(subject)));
  }
  std::vector<MatrixF> values;
  for (const FmriSource& source : shown->second) values.push_back(read(source, targets));
  if (repeats == Repeats::keep || values.size() == 1) return values;
  std::vector<MatrixF> averaged;
  averaged.push_back(average(values));
  return averaged;
}

}  // namespace cinecortex::dataset
