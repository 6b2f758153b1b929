#include "statistics_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace cinecortex::stages {
namespace {

using encoding::LaggedStatistics;
using encoding::LaggedSums;
using Edges = LaggedSums::Edges;
using io::Stored;

std::string group_path(Index group) {
  return fmt::format("/groups/{}", group);
}

VectorD as_vector(const std::vector<Index>& integers) {
  VectorD values(static_cast<Index>(integers.size()));
  for (Index i = 0; i < values.size(); ++i)
    values[i] = static_cast<double>(integers[static_cast<std::size_t>(i)]);
  return values;
}

std::vector<Index> as_integers(const VectorD& values) {
  return {values.begin(), values.end()};
}

/// Where a run's edge rows lie among those of all runs, and what they belong to: one row of /edges/runs.
struct EdgeRow {
  static constexpr Index columns = 14;
  Index block, feature_rows, lowest;
  Range times, interior;
  Index tail_begin;
  Index first_x, head_x, tail_x, first_y, head_y, tail_y;

  Eigen::Matrix<double, 1, columns> numbers() const {
    Eigen::Matrix<double, 1, columns> row;
    Index i = 0;
    for (const Index value : {block, feature_rows, lowest, times.begin, times.end, interior.begin,
                              interior.end, tail_begin, first_x, head_x, tail_x, first_y, head_y, tail_y}) {
      row[i++] = static_cast<double>(value);
    }
    return row;
  }
  static EdgeRow from(const MatrixD& table, Index row) {
    const auto at = [&](Index column) { return static_cast<Index>(table(row, column)); };
    return {.block = at(0),
            .feature_rows = at(1),
            .lowest = at(2),
            .times = {at(3), at(4)},
            .interior = {at(5), at(6)},
            .tail_begin = at(7),
            .first_x = at(8),
            .head_x = at(9),
            .tail_x = at(10),
            .first_y = at(11),
            .head_y = at(12),
            .tail_y = at(13)};
  }
};

/// The runs of all groups by block, so that the file does not depend on how they are grouped.
std::vector<const Edges*> edges_by_block(const std::vector<LaggedStatistics>& groups) {
  std::vector<const Edges*> all;
  for (const auto& group : groups) {
    for (const auto& edges : group.sums().edges) all.push_back(&edges);
  }
  std::sort(all.begin(), all.end(), [](const Edges* a, const Edges* b) { return a->block < b->block; });
  return all;
}

std::vector<EdgeRow> edge_table(const std::vector<const Edges*>& runs) {
  std::vector<EdgeRow> table;
  Index x = 0, y = 0;
  for (const Edges* e : runs) {
    table.push_back({e->block, e->feature_rows, e->lowest, e->times, e->interior, e->tail_begin, x,
                     e->head_x.rows(), e->tail_x.rows(), y, e->head_y.rows(), e->tail_y.rows()});
    x += e->head_x.rows() + e->tail_x.rows();
    y += e->head_y.rows() + e->tail_y.rows();
  }
  return table;
}

/// Head and tail of every run, one below the other; some columns.
template <class Head, class Tail>
MatrixD stacked(const std::vector<const Edges*>& runs, Range columns, Head head, Tail tail) {
  Index rows = 0;
  for (const Edges* e : runs) rows += (e->*head).rows() + (e->*tail).rows();
  MatrixD all(rows, columns.size());
  Index at = 0;
  for (const Edges* e : runs) {
    for (const MatrixD* part : {&(e->*head), &(e->*tail)}) {
      all.middleRows(at, part->rows()) = part->middleCols(columns.begin, columns.size());
      at += part->rows();
    }
  }
  return all;
}

/// Vectors of each group, a row a group.
template <class Get>
MatrixD by_group(const std::vector<LaggedStatistics>& groups, Range columns, Get get) {
  MatrixD rows(static_cast<Index>(groups.size()), columns.size());
  for (Index g = 0; g < rows.rows(); ++g) {
    rows.row(g) =
        get(groups[static_cast<std::size_t>(g)].sums()).segment(columns.begin, columns.size()).transpose();
  }
  return rows;
}

Attributes with_content(Attributes attributes, const StatisticsContent& content) {
  attributes["kind"] = std::string("statistics");
  attributes["format_version"] = model_format_version;
  attributes["precision"] = std::string(content.single ? "float32" : "float64");
  return attributes;
}

StatisticsContent read_content(const io::Hdf5Reader& reader) {
  return {.delays = as_integers(reader.read_vector("/delays_tr")),
          .components = reader.info("/shift_x").shape.at(0),
          .single = reader.attribute("/", "precision") == io::Attribute(std::string("float32")),
          .runs = reader.read_strings("/runs"),
          .group_of = as_integers(reader.read_vector("/group"))};
}

}  // namespace

Index StatisticsContent::groups() const {
  return group_of.empty() ? 0 : 1 + *std::max_element(group_of.begin(), group_of.end());
}

bool StatisticsContent::holds(const std::vector<Index>& wanted_delays, Index wanted_components) const {
  return wanted_components <= components &&
         std::all_of(wanted_delays.begin(), wanted_delays.end(),
                     [&](Index d) { return std::binary_search(delays.begin(), delays.end(), d); });
}

double statistics_bytes(const StatisticsContent& content, Index targets) {
  const auto k = static_cast<double>(content.components), t = static_cast<double>(targets);
  const auto groups = static_cast<double>(content.groups());
  const auto delays = static_cast<double>(content.delays.size());
  const auto differences = static_cast<double>(encoding::delay_differences(content.delays).size());
  const auto span = static_cast<double>(content.delays.back() - content.delays.front());
  const double reach = std::max(std::abs(static_cast<double>(content.delays.front())),
                                std::abs(static_cast<double>(content.delays.back())));
  constexpr double trimmed = 16;  // rows that trimming and unequal lengths leave, about
  const double edge_rows = static_cast<double>(content.runs.size()) * 2 * (span + reach + trimmed);
  return 8 * (groups * (differences * k * k + delays * k * (t + 1) + 2 * t) + edge_rows * (k + t));
}

StatisticsFile::StatisticsFile(const std::filesystem::path& file, StatisticsContent content,
                               Index targets_global, Attributes attributes,
                               const parallel::Communicator& comm)
    : content_(std::move(content)),
      targets_(targets_global),
      comm_(comm),
      writer_(file, comm, with_content(std::move(attributes), content_)) {
  writer_.put("/runs", content_.runs,
              {.attributes = {{"description", std::string("runs, or presentations of a run, summed up")}}});
  writer_.put("/delays_tr", as_vector(content_.delays),
              described("delays that any design may be made of", {"delay"}, Stored::int64));
  writer_.put("/group", as_vector(content_.group_of),
              described("group that each run was summed up in", {"run"}, Stored::int64));
}

/// Everything that does not depend on the targets, and room for what does.
void StatisticsFile::create(const std::vector<LaggedStatistics>& groups) {
  const auto count = static_cast<Index>(groups.size());
  const auto delays = static_cast<Index>(content_.delays.size());
  const Index k = content_.components;
  writer_.put("/shift_x", groups.front().sums().shift_x,
              described("what is subtracted from every component before it is summed up", {"component"}));
  writer_.create("/shift_y", {targets_}, described("the same for every target", {"target"}));
  std::vector<Index> rows;
  rows.reserve(groups.size());
  for (const auto& group : groups) rows.push_back(group.sums().interior_rows);
  writer_.put("/interior_rows", as_vector(rows),
              described("TRs whose windows lie inside their runs at all delays: those in the sums below",
                        {"group"}, Stored::int64));
  writer_.create("/sum_y", {count, targets_},
                 described("sum of each target over interior TRs", {"group", "target"}));
  writer_.create("/squares_y", {count, targets_},
                 described("sum of its squares over interior TRs", {"group", "target"}));
  for (Index g = 0; g < count; ++g) {
    const auto& sums = groups[static_cast<std::size_t>(g)].sums();
    writer_.put(group_path(g) + "/sums_x", sums.sums_x,
                described("sum of each component at each delay over interior TRs", {"delay", "component"}));
    writer_.create(
        group_path(g) + "/cross_products", {delays * k, targets_},
        described("sum of component × target over interior TRs, by delay (smallest first), then component",
                  {"delay × component", "target"}));
    write_auto_products(group_path(g) + "/auto_products", sums);
  }
  const auto runs = edges_by_block(groups);
  const auto table = edge_table(runs);
  MatrixD numbers(static_cast<Index>(table.size()), EdgeRow::columns);
  for (Index i = 0; i < numbers.rows(); ++i) numbers.row(i) = table[static_cast<std::size_t>(i)].numbers();
  writer_.put(
      "/edges/runs", numbers,
      described("of each run: its place in /runs; feature rows; first row that a window may begin at; first "
                "TR and end; first interior TR and end; feature row of the first tail row; then of /edges/x "
                "first row, head rows, tail rows, and the same of /edges/y",
                {"run", "number"}, Stored::int64));
  const MatrixD x = stacked(runs, {0, k}, &Edges::head_x, &Edges::tail_x);
  writer_.put("/edges/x", x, described("first and last component rows of every run", {"row", "component"}));
  const Index y_rows = table.empty() ? 0 : table.back().first_y + table.back().head_y + table.back().tail_y;
  writer_.create("/edges/y", {y_rows, targets_},
                 described("responses, less shift_y, at the TRs before and after the interior of every run",
                           {"row", "target"}));
  created_ = true;
}

/// Every rank has them all, and writes a share.
void StatisticsFile::write_auto_products(const std::string& path, const LaggedSums& sums) {
  const Index k = content_.components;
  writer_.create(
      path, {static_cast<Index>(sums.auto_products.size()) * k, k},
      described("sum over rows s of F[s] F[s + difference]ᵀ, by difference of two delays (0 first), then "
                "component of F[s]",
                {"difference × component", "component"}));
  const Range share = partition(k, comm_.size(), comm_.rank());
  for (std::size_t i = 0; i < sums.auto_products.size(); ++i) {
    writer_.write<double>(path, sums.auto_products[i].middleRows(share.begin, share.size()),
                          static_cast<Index>(i) * k + share.begin, 0);
  }
}

void StatisticsFile::add(const std::vector<LaggedStatistics>& groups, Range local, Range targets) {
  if (!created_) create(groups);
  const Index begin = std::clamp(targets.begin, local.begin, local.end);
  const Index end = std::clamp(targets.end, begin, local.end);
  const Range mine{begin - local.begin, end - local.begin};
  const Index to = mine.empty() ? 0 : begin - targets.begin;
  const Index k = content_.components;
  writer_.write_vector("/shift_y", groups.front().sums().shift_y.segment(mine.begin, mine.size()), to);
  writer_.write<double>("/sum_y",
                        by_group(
                            groups, mine, [](const LaggedSums& s) -> auto& { return s.sum_y; }),
                        0, to);
  writer_.write<double>("/squares_y",
                        by_group(
                            groups, mine, [](const LaggedSums& s) -> auto& { return s.squares_y; }),
                        0, to);
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const auto& cross = groups[g].sums().cross_products;
    for (std::size_t i = 0; i < cross.size(); ++i) {
      writer_.write<double>(group_path(static_cast<Index>(g)) + "/cross_products",
                            cross[i].middleCols(mine.begin, mine.size()), static_cast<Index>(i) * k, to);
    }
  }
  writer_.write<double>("/edges/y", stacked(edges_by_block(groups), mine, &Edges::head_y, &Edges::tail_y), 0,
                        to);
}

void StatisticsFile::commit() {
  writer_.commit();
}

StatisticsReader::StatisticsReader(const std::filesystem::path& file) : reader_(file) {
  check_model_file(reader_, "statistics");
  content_ = read_content(reader_);
  targets_ = reader_.info("/shift_y").shape.at(0);
}

LaggedSums StatisticsReader::read(Index group, Range targets, bool gram) const {
  const Index k = content_.components;
  const auto vector = [&](const std::string& path) {
    return VectorD(reader_.read<double>(path, {group, group + 1}, targets).row(0).transpose());
  };
  const auto interior_rows = reader_.read<double>("/interior_rows", {group, group + 1}, {0, 1});
  LaggedSums sums{.delays = content_.delays,
                  .components = k,
                  .shift_x = shift_x(),
                  .shift_y = reader_.read<double>("/shift_y", targets, {0, 1}).col(0),
                  .auto_products = {},
                  .cross_products = {},
                  .sums_x = reader_.read<double>(group_path(group) + "/sums_x"),
                  .sum_y = vector("/sum_y"),
                  .squares_y = vector("/squares_y"),
                  .interior_rows = static_cast<Index>(interior_rows(0, 0)),
                  .edges = read_edges(group, targets)};
  const auto block = [&](Index i) { return Range{i * k, (i + 1) * k}; };
  const auto differences = static_cast<Index>(encoding::delay_differences(content_.delays).size());
  for (Index i = 0; gram && i < differences; ++i) {
    sums.auto_products.push_back(
        reader_.read<double>(group_path(group) + "/auto_products", block(i), {0, k}));
  }
  for (Index i = 0; i < static_cast<Index>(content_.delays.size()); ++i) {
    sums.cross_products.push_back(
        reader_.read<double>(group_path(group) + "/cross_products", block(i), targets));
  }
  return sums;
}

std::vector<Edges> StatisticsReader::read_edges(Index group, Range targets) const {
  const MatrixD table = reader_.read<double>("/edges/runs");
  if (table.cols() != EdgeRow::columns) {
    throw InputError(fmt::format("{}:/edges/runs has {} columns instead of {}", reader_.file().string(),
                                 table.cols(), EdgeRow::columns));
  }
  std::vector<EdgeRow> runs;
  for (Index i = 0; i < table.rows(); ++i) {
    const auto run = EdgeRow::from(table, i);
    if (content_.group_of.at(static_cast<std::size_t>(run.block)) == group) runs.push_back(run);
  }
  if (runs.empty()) return {};
  // A group's runs lie one after the other, or nearly so: one read serves them all.
  const EdgeRow &first = runs.front(), &last = runs.back();
  const MatrixD x = reader_.read<double>(
      "/edges/x", {first.first_x, last.first_x + last.head_x + last.tail_x}, {0, content_.components});
  const MatrixD y =
      reader_.read<double>("/edges/y", {first.first_y, last.first_y + last.head_y + last.tail_y}, targets);
  std::vector<Edges> all;
  for (const auto& run : runs) {
    const Index at_x = run.first_x - first.first_x, at_y = run.first_y - first.first_y;
    all.push_back({.block = run.block,
                   .feature_rows = run.feature_rows,
                   .lowest = run.lowest,
                   .times = run.times,
                   .interior = run.interior,
                   .tail_begin = run.tail_begin,
                   .head_x = x.middleRows(at_x, run.head_x),
                   .tail_x = x.middleRows(at_x + run.head_x, run.tail_x),
                   .head_y = y.middleRows(at_y, run.head_y),
                   .tail_y = y.middleRows(at_y + run.head_y, run.tail_y)});
  }
  return all;
}

}  // namespace cinecortex::stages
