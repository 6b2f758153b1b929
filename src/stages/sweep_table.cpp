#include "sweep_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "cinecortex/encoding/scores.hpp"
#include "model_files.hpp"

namespace cinecortex::stages {
namespace {

constexpr const char* kind = "sweep";

/// Where a unit's data sets are.
std::string group_of(const SweepRow& row) {
  return row.space.empty() ? "" : "/" + row.space + "/" + row.subject;
}

std::string fold_words(const std::string& by) {
  if (by == "season") return "one season or movie each";
  return by == "runs" ? "neighbouring whole runs" : "neighbouring rows of the one run";
}

VectorD everywhere(const VectorD& local, const parallel::Communicator& comm) {
  const auto all = comm.gather(std::span<const double>(local.data(), static_cast<std::size_t>(local.size())));
  return Eigen::Map<const VectorD>(all.data(), static_cast<Index>(all.size()));
}

template <class Value>
VectorD column(const std::vector<const SweepRow*>& rows, Value value) {
  VectorD values(static_cast<Index>(rows.size()));
  for (std::size_t i = 0; i < rows.size(); ++i)
    values[static_cast<Index>(i)] = static_cast<double>(value(*rows[i]));
  return values;
}

void put_table(io::Hdf5Writer& writer, const std::string& group, const std::vector<const SweepRow*>& rows) {
  const auto put = [&](const char* name, const char* description, auto value) {
    writer.put(group + "/" + name, column(rows, value), described(description, {"configuration"}));
  };
  put("number", "place of the configuration among all of this space",
      [](const SweepRow& r) { return r.number; });
  put("components", "leading components used", [](const SweepRow& r) { return r.tried.components; });
  put("delay", "TRs from the newest row of the window to the response",
      [](const SweepRow& r) { return r.tried.windowed ? r.tried.delay() : 0; });
  put("window", "TRs in the window; 0: a set of delays, see `delays`",
      [](const SweepRow& r) { return r.tried.windowed ? r.tried.window() : 0; });
  put("rows", "rows of all folds", [](const SweepRow& r) { return r.rows; });
  put("mean_r", "mean over targets of r", [](const SweepRow& r) { return r.mean_r; });
  put("median_r", "median over targets of r", [](const SweepRow& r) { return r.median_r; });
  put("median_alpha", "median over targets of alpha", [](const SweepRow& r) { return r.median_alpha; });
  put("edge_share", "share of targets whose alpha is the smallest or largest of the grid",
      [](const SweepRow& r) { return r.edge_share; });
  put("seconds", "time spent on this configuration, in seconds", [](const SweepRow& r) { return r.seconds; });
  std::vector<std::string> delays;
  for (const auto* row : rows) delays.push_back(row->tried.delays());
  writer.put(group + "/delays", delays,
             {.attributes = {{"description", std::string("delays in TRs, oldest row first")}}});
}

void put_targets(io::Hdf5Writer& writer, const std::string& path, const std::vector<const SweepRow*>& rows,
                 VectorD SweepRow::*values, const io::DatasetOptions& options,
                 const parallel::Communicator& comm) {
  const Index targets = rows.front()->targets_global;
  const Range local = partition(targets, comm.size(), comm.rank());
  MatrixD block(static_cast<Index>(rows.size()), local.size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    block.row(static_cast<Index>(i)) = (rows[i]->*values).transpose();
  writer.create(path, {block.rows(), targets}, options);
  writer.write<double>(path, block, 0, local.begin);
}

std::string text_attribute(const io::Hdf5Reader& reader, const std::string& path, const std::string& name) {
  const auto found = reader.attribute(path, name);
  const auto* text = found ? std::get_if<std::string>(&*found) : nullptr;
  if (!text) throw InputError(fmt::format("{}: {} has no attribute {}", reader.file().string(), path, name));
  return *text;
}

encoding::Design parse_design(const std::string& delays, encoding::Edge edge) {
  std::istringstream words(delays);
  std::vector<Index> all;
  for (Index delay = 0; words >> delay;) all.push_back(delay);
  return encoding::Design::fir(all, edge);
}

void read_unit(const io::Hdf5Reader& reader, const std::string& group, const parallel::Communicator& comm,
               std::vector<SweepRow>& rows) {
  const std::string r_path = group + "/r";
  const auto shape = reader.info(r_path).shape;
  const Range local = partition(shape.at(1), comm.size(), comm.rank());
  const MatrixD r = reader.read<double>(r_path, {0, shape.at(0)}, local);
  const MatrixD alpha = reader.read<double>(group + "/alpha", {0, shape.at(0)}, local);
  const auto edge = encoding::parse_edge(text_attribute(reader, r_path, "edge"));
  const auto folds_by = text_attribute(reader, r_path, "folds_by");
  const auto folds = reader.attribute(r_path, "folds");
  const auto delays = reader.read_strings(group + "/delays");
  const auto values = [&](const char* name) { return reader.read_vector(group + "/" + name); };
  const VectorD number = values("number"), components = values("components"), window = values("window"),
                counts = values("rows"), mean_r = values("mean_r"), median_r = values("median_r"),
                median_alpha = values("median_alpha"), edge_share = values("edge_share"),
                seconds = values("seconds");
  for (Index i = 0; i < shape.at(0); ++i) {
    SweepRow row{
        .number = static_cast<Index>(number[i]),
        .tried = {static_cast<Index>(components[i]),
                  parse_design(delays.at(static_cast<std::size_t>(i)), edge), window[i] > 0},
        .folds = folds && std::holds_alternative<std::int64_t>(*folds) ? std::get<std::int64_t>(*folds) : 0,
        .folds_by = folds_by,
        .rows = static_cast<Index>(counts[i]),
        .r = r.row(i).transpose(),
        .alpha = alpha.row(i).transpose(),
        .targets_global = shape.at(1),
        .mean_r = mean_r[i],
        .median_r = median_r[i],
        .median_alpha = median_alpha[i],
        .edge_share = edge_share[i],
        .seconds = seconds[i]};
    if (!group.empty()) {
      const std::size_t cut = group.find('/', 1);
      row.space = group.substr(1, cut - 1);
      row.subject = group.substr(cut + 1);
    }
    rows.push_back(std::move(row));
  }
}

}  // namespace

void set_score(SweepRow& row, encoding::SweepScore score, const std::vector<double>& alphas,
               const parallel::Communicator& comm) {
  row.rows = score.rows;
  row.seconds = score.seconds;
  row.r = std::move(score.r);
  row.alpha = std::move(score.alpha);
  const VectorD r = everywhere(row.r, comm), alpha = everywhere(row.alpha, comm);
  row.targets_global = r.size();
  row.mean_r = encoding::mean(r);
  row.median_r = encoding::median(r);
  row.median_alpha = encoding::median(alpha);
  const auto [least, most] = std::minmax_element(alphas.begin(), alphas.end());
  const Index at_edge = alphas.size() > 1 ? (alpha.array() == *least || alpha.array() == *most).count() : 0;
  row.edge_share = static_cast<double>(at_edge) / static_cast<double>(std::max<Index>(alpha.size(), 1));
}

void write_sweep(const std::filesystem::path& file, const std::vector<SweepRow>& rows,
                 const std::vector<double>& alphas, std::map<std::string, io::Attribute> attributes,
                 const parallel::Communicator& comm) {
  attributes["kind"] = std::string(kind);
  io::Hdf5Writer writer(file, comm, attributes);
  writer.put("/alphas", VectorD(Eigen::Map<const VectorD>(alphas.data(), static_cast<Index>(alphas.size()))),
             described("regularisation strengths tried, in the order given", {"alpha"}));
  for (std::size_t begin = 0; begin < rows.size();) {
    const std::string group = group_of(rows[begin]);
    std::vector<const SweepRow*> unit;
    std::size_t end = begin;
    while (end < rows.size() && group_of(rows[end]) == group) unit.push_back(&rows[end++]);
    auto options = described("Pearson r of each target, mean over folds of the rows held out",
                             {"configuration", "target"});
    options.attributes["folds"] = std::int64_t{rows[begin].folds};
    options.attributes["folds_by"] = rows[begin].folds_by;
    options.attributes["edge"] = std::string(encoding::name(rows[begin].tried.design.edge()));
    put_targets(writer, group + "/r", unit, &SweepRow::r, options, comm);
    put_targets(writer, group + "/alpha", unit, &SweepRow::alpha,
                described("regularisation strength of each target: the best mean R² over folds",
                          {"configuration", "target"}),
                comm);
    put_table(writer, group, unit);
    begin = end;
  }
  writer.commit();
}

std::vector<SweepRow> read_sweep(const std::filesystem::path& file, const parallel::Communicator& comm) {
  const io::Hdf5Reader reader(file);
  if (text_attribute(reader, "/", "kind") != kind) throw InputError(file.string() + ": not written by sweep");
  std::vector<SweepRow> rows;
  if (reader.contains("/r")) {
    read_unit(reader, "", comm, rows);
    return rows;
  }
  for (const auto& space : reader.children()) {
    if (!reader.is_group("/" + space)) continue;
    for (const auto& subject : reader.children("/" + space)) {
      read_unit(reader, "/" + space + "/" + subject, comm, rows);
    }
  }
  return rows;
}

std::string sweep_csv(const std::vector<SweepRow>& rows) {
  std::string text =
      "space,subject,components,delay,window,delays,edge,folds,folds_by,n,mean_r,median_r,median_alpha,edge_"
      "share,"
      "seconds\n";
  for (const auto& row : rows) {
    text += fmt::format("{},{},{},{},{},{},{},{},{},{},{:.8f},{:.8f},{:g},{:.4f},{:.3f}\n", row.space,
                        row.subject, row.tried.components,
                        row.tried.windowed ? std::to_string(row.tried.delay()) : "",
                        row.tried.windowed ? std::to_string(row.tried.window()) : "", row.tried.delays(),
                        encoding::name(row.tried.design.edge()), row.folds, row.folds_by, row.rows,
                        row.mean_r, row.median_r, row.median_alpha, row.edge_share, row.seconds);
  }
  return text;
}

std::vector<std::string> sweep_spaces(const std::vector<SweepRow>& rows) {
  std::vector<std::string> spaces;
  for (const auto& row : rows) {
    if (std::find(spaces.begin(), spaces.end(), row.space) == spaces.end()) spaces.push_back(row.space);
  }
  return spaces;
}

std::vector<SweepMean> sweep_means(const std::vector<SweepRow>& rows, const std::string& space) {
  std::map<Index, SweepMean> means;
  for (const auto& row : rows) {
    if (row.space != space) continue;
    auto& mean = means[row.number];
    mean.tried = row.tried;
    mean.r += row.mean_r;
    ++mean.subjects;
  }
  std::vector<SweepMean> list;
  for (auto& [number, mean] : means) {
    mean.r /= static_cast<double>(mean.subjects);
    list.push_back(mean);
  }
  return list;
}

const SweepMean& best_of(const std::vector<SweepMean>& means) {
  return *std::min_element(means.begin(), means.end(), [](const SweepMean& a, const SweepMean& b) {
    return a.r != b.r ? a.r > b.r : a.tried.columns() < b.tried.columns();
  });
}

std::string sweep_report(const std::vector<SweepRow>& rows) {
  constexpr std::size_t shown = 5;
  std::string text;
  for (const auto& space : sweep_spaces(rows)) {
    auto means = sweep_means(rows, space);
    const auto count = means.size();
    std::stable_sort(means.begin(), means.end(),
                     [](const SweepMean& a, const SweepMean& b) { return a.r > b.r; });
    means.resize(std::min(means.size(), shown));
    const auto& any =
        *std::find_if(rows.begin(), rows.end(), [&](const SweepRow& row) { return row.space == space; });
    text += fmt::format(
        "{}{} configurations, {} folds ({}); mean held-out r over {} targets{}\n",
        space.empty() ? "" : space + ": ", count, any.folds, fold_words(any.folds_by), any.targets_global,
        means.front().subjects > 1 ? fmt::format(" and {} subjects", means.front().subjects) : "");
    text += "  components   columns        r   design\n";
    for (const auto& mean : means) {
      text += fmt::format("  {:>10}   {:>7}   {:>6.4f}   {}\n", mean.tried.components, mean.tried.columns(),
                          mean.r, mean.tried.label());
    }
    if (count > shown) text += fmt::format("  … and {} more\n", count - shown);
    text += '\n';
  }
  return text;
}

}  // namespace cinecortex::stages
