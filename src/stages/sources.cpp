#include "sources.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

#include "cinecortex/core/interrupt.hpp"

namespace cinecortex::stages {

std::vector<Index> numbered(const std::vector<std::string>& labels) {
  std::map<std::string, Index> numbers;
  std::vector<Index> result;
  for (const auto& label : labels) {
    result.push_back(numbers.try_emplace(label, static_cast<Index>(numbers.size())).first->second);
  }
  return result;
}

std::vector<Index> seasons_of(const std::vector<Presentation>& shown) {
  std::vector<std::string> seasons;
  for (const auto& presentation : shown) seasons.push_back(presentation.run->id.group());
  return numbered(seasons);
}

std::string block_name(const Presentation& presentation, const DataConfig& data) {
  const auto& task = presentation.run->id.task;
  return data.repeats == dataset::Repeats::keep && presentation.repeat > 0
             ? fmt::format("{} (run-{})", task, presentation.repeat + 1)
             : task;
}

template <class Scalar>
Matrix<Scalar> read_finite(const io::Hdf5Reader& reader, const std::string& path, Range rows, Range columns) {
  Matrix<Scalar> values = reader.read<Scalar>(path, rows, columns);
  if (!all_finite(values)) {
    for (Index row = 0; row < values.rows(); ++row) {
      for (Index column = 0; column < values.cols(); ++column) {
        if (!std::isfinite(values(row, column))) {
          throw InputError(fmt::format("{}:{}: row {}, column {} is {}; only finite numbers are allowed",
                                       reader.file().string(), path, rows.begin + row, columns.begin + column,
                                       values(row, column)));
        }
      }
    }
  }
  return values;
}

template MatrixF read_finite<float>(const io::Hdf5Reader&, const std::string&, Range, Range);
template MatrixD read_finite<double>(const io::Hdf5Reader&, const std::string&, Range, Range);

FeatureSource::FeatureSource(const Context& context, const FeatureTable& features, std::string space,
                             std::vector<const dataset::Run*> runs)
    : outputs_(context.outputs), features_(features), space_(std::move(space)), runs_(std::move(runs)) {}

const FeatureFile& FeatureSource::file(Index block) const {
  return features_.at(space_).at(name(block));
}
Index FeatureSource::rows(Index block) const {
  return file(block).rows;
}
Index FeatureSource::columns() const {
  return runs_.empty() ? 0 : file(0).width;
}
std::string FeatureSource::name(Index block) const {
  return runs_[static_cast<std::size_t>(block)]->id.task;
}

template <class Scalar>
Matrix<Scalar> FeatureSource::read_rows(Index block, Range columns) const {
  interrupt::check();
  return read_finite<Scalar>(io::Hdf5Reader(outputs_.features(space_, name(block))), "/features",
                             {0, rows(block)}, columns);
}

MatrixD FeatureSource::read(Index block, Range columns) const {
  return read_rows<double>(block, columns);
}

MatrixF FeatureSource::read_single(Index block, Range columns) const {
  return read_rows<float>(block, columns);
}

ScoreReader::ScoreReader(const std::filesystem::path& pca_file, const FeatureTable& features,
                         std::string space)
    : features_(features), space_(std::move(space)), reader_(pca_file) {
  components_ = reader_.info("/components").shape.at(0);
}

template <class Scalar>
Matrix<Scalar> ScoreReader::read(const std::string& run) const {
  return read_finite<Scalar>(reader_, "/scores/" + run, {0, rows(run)}, {0, components_});
}

template MatrixF ScoreReader::read<float>(const std::string&) const;
template MatrixD ScoreReader::read<double>(const std::string&) const;

Range trimmed(Index rows, const DataConfig& data) {
  return {data.trim_tr[0], std::max(data.trim_tr[0], rows - data.trim_tr[1])};
}

std::vector<Presentation> presentations(const std::vector<const dataset::Run*>& runs, int subject,
                                        const DataConfig& data, const FeatureTable& features) {
  std::vector<Presentation> found;
  for (const auto* run : runs) {
    const auto& sources = run->fmri.at(subject);
    for (const auto& source : sources) {
      for (const auto& [space, files] : features) {
        const Index rows = files.at(run->id.task).rows;
        if (rows > 0 && std::abs(rows - source.rows) > data.tolerance_tr) {
          throw InputError(fmt::format(
              "{}: {} features have {} TRs, but {} in {} has {}; they may differ by {} (data.tolerance_tr)",
              run->id.qualified(), space, rows, source.dataset, source.file.string(), source.rows,
              data.tolerance_tr));
        }
      }
    }
    if (data.repeats == dataset::Repeats::average) {
      const auto shortest = std::min_element(sources.begin(), sources.end(),
                                             [](const auto& a, const auto& b) { return a.rows < b.rows; });
      found.push_back({run, 0, shortest->rows});
    } else {
      for (std::size_t i = 0; i < sources.size(); ++i) {
        found.push_back({run, static_cast<Index>(i), sources[i].rows});
      }
    }
  }
  return found;
}

std::vector<encoding::RunExtent> extents(const std::vector<Presentation>& shown, const std::string& space,
                                         const FeatureTable& features, const DataConfig& data) {
  std::vector<encoding::RunExtent> all;
  for (const auto& each : shown) {
    const Index rows = features.at(space).at(each.run->id.task).rows;
    all.push_back({.feature_rows = rows, .wanted = trimmed(each.rows, data), .lowest = data.trim_tr[0]});
  }
  return all;
}

std::vector<Index> usable_times(const Presentation& presentation,
                                const std::vector<const SpaceConfig*>& spaces, const FeatureTable& features,
                                const DataConfig& data) {
  std::vector<Index> times;
  bool first = true;
  for (const auto* space : spaces) {
    const Index feature_rows = features.at(space->name).at(presentation.run->id.task).rows;
    const auto possible = space->design.rows(feature_rows, trimmed(presentation.rows, data));
    if (std::exchange(first, false)) {
      times = possible;
      continue;
    }
    std::vector<Index> both;
    std::set_intersection(times.begin(), times.end(), possible.begin(), possible.end(),
                          std::back_inserter(both));
    times = std::move(both);
  }
  return times;
}

DesignSource::DesignSource(const ScoreReader& scores, const SpaceConfig& space, const DataConfig& data,
                           std::vector<Presentation> presentations, std::vector<std::vector<Index>> times)
    : scores_(scores),
      space_(space),
      data_(data),
      presentations_(std::move(presentations)),
      times_(std::move(times)) {}

std::string DesignSource::name(Index block) const {
  return block_name(presentations_[static_cast<std::size_t>(block)], data_);
}

template <class Scalar>
Matrix<Scalar> DesignSource::read_rows(Index block, Range columns) const {
  const auto i = static_cast<std::size_t>(block);
  const Matrix<Scalar> scores = scores_.read<Scalar>(presentations_[i].run->id.task);
  const Matrix<Scalar> rows = space_.design.rows_at(scores, times_[i], data_.trim_tr[0]);
  if (columns == Range{0, rows.cols()}) return rows;
  return rows.middleCols(columns.begin, columns.size());
}

MatrixD DesignSource::read(Index block, Range columns) const {
  return read_rows<double>(block, columns);
}

MatrixF DesignSource::read_single(Index block, Range columns) const {
  return read_rows<float>(block, columns);
}

ResponseSource::ResponseSource(int subject, Index targets, const DataConfig& data,
                               std::vector<Presentation> presentations, std::vector<std::vector<Index>> times)
    : subject_(subject),
      targets_(targets),
      data_(data),
      presentations_(std::move(presentations)),
      times_(std::move(times)) {}

std::string ResponseSource::name(Index block) const {
  return block_name(presentations_[static_cast<std::size_t>(block)], data_);
}

template <class Scalar>
Matrix<Scalar> ResponseSource::read_rows(Index block, Range targets) const {
  const auto i = static_cast<std::size_t>(block);
  const auto& presentation = presentations_[i];
  const auto all = dataset::read_responses(*presentation.run, subject_, targets, data_.repeats);
  const MatrixF& responses = all.at(static_cast<std::size_t>(presentation.repeat));
  Matrix<Scalar> rows(static_cast<Index>(times_[i].size()), targets.size());
  for (Index row = 0; row < rows.rows(); ++row) {
    rows.row(row) = responses.row(times_[i][static_cast<std::size_t>(row)]).template cast<Scalar>();
  }
  return rows;
}

MatrixD ResponseSource::read(Index block, Range targets) const {
  return read_rows<double>(block, targets);
}

MatrixF ResponseSource::read_single(Index block, Range targets) const {
  return read_rows<float>(block, targets);
}

}  // namespace cinecortex::stages
