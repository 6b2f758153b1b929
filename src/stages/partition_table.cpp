#include "partition_table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "cinecortex/encoding/scores.hpp"

namespace cinecortex::stages {
namespace {

std::string set_of(const encoding::SpaceSet& set, const std::vector<std::string>& spaces) {
  std::vector<std::string> names;
  for (const Index space : set) names.push_back(spaces[static_cast<std::size_t>(space)]);
  return fmt::format("{}", fmt::join(names, "+"));
}

/// Means over targets of one data set of a file.
struct Line {
  std::string kind;    ///< joint, unique, shared, rest
  std::string spaces;  ///< joined by "+"
  double mean = 0, median = 0;
  double mean_r = 0;  ///< of joint
};

struct Subject {
  std::string name, held_out;
  std::int64_t fit_rows = 0, held_out_rows = 0;
  Index targets = 0;
  std::vector<Line> lines;

  const Line* find(const Line& wanted) const {
    const auto found = std::find_if(lines.begin(), lines.end(), [&](const Line& line) {
      return line.kind == wanted.kind && line.spaces == wanted.spaces;
    });
    return found == lines.end() ? nullptr : &*found;
  }
};

template <class T>
T attribute(const io::Hdf5Reader& reader, const char* name) {
  return std::get<T>(reader.attribute("/", name).value());
}

Subject read_subject(const std::filesystem::path& file) {
  const io::Hdf5Reader reader(file);
  check_model_file(reader, "partition");
  Subject subject{.name = attribute<std::string>(reader, "subject"),
                  .held_out = attribute<std::string>(reader, "held_out"),
                  .fit_rows = attribute<std::int64_t>(reader, "fit_rows"),
                  .held_out_rows = attribute<std::int64_t>(reader, "held_out_rows")};
  const auto add = [&](const std::string& kind, const std::string& spaces, const std::string& path) {
    const VectorD values = reader.read_vector(path);
    subject.targets = values.size();
    subject.lines.push_back({kind, spaces, encoding::mean(values), encoding::median(values)});
  };
  for (const auto& set : reader.read_strings("/joint")) {
    add("joint", set, "/r2/" + set);
    subject.lines.back().mean_r = encoding::mean(reader.read_vector("/r/" + set));
  }
  const auto spaces = reader.read_strings("/spaces");
  for (const auto& space : spaces) add("unique", space, "/unique/" + space);
  for (std::size_t i = 0; i < spaces.size(); ++i) {
    for (std::size_t j = i + 1; j < spaces.size(); ++j) {
      const auto pair = spaces[i] + "+" + spaces[j];
      add("shared", pair, "/shared/" + pair);
    }
  }
  if (reader.contains("/rest")) add("rest", fmt::format("{}", fmt::join(spaces, "+")), "/rest");
  return subject;
}

std::vector<Subject> read_subjects(const std::vector<std::filesystem::path>& files) {
  std::vector<Subject> subjects;
  for (const auto& file : files) subjects.push_back(read_subject(file));
  return subjects;
}

}  // namespace

void write_partition(const std::filesystem::path& file, const encoding::VariancePartition& partition,
                     const std::vector<std::string>& spaces, Index targets_global, Attributes attributes,
                     const parallel::Communicator& comm) {
  attributes["kind"] = std::string("partition");
  attributes["format_version"] = model_format_version;
  attributes["fit_rows"] = std::int64_t{partition.fit_rows};
  attributes["held_out_rows"] = std::int64_t{partition.held_out_rows};
  io::Hdf5Writer writer(file, comm, attributes);
  const Index begin = cinecortex::partition(targets_global, comm.size(), comm.rank()).begin;
  const auto put = [&](const std::string& path, const VectorD& local, const std::string& description) {
    writer.create(path, {targets_global},
                  {.type = io::Stored::float64,
                   .attributes = {{"description", description}},
                   .dimensions = {"target"}});
    writer.write_vector(path, local, begin);
  };
  std::vector<std::string> sets;
  for (const auto& fit : partition.fits) {
    const auto set = set_of(fit.spaces, spaces);
    sets.push_back(set);
    put("/r2/" + set, fit.r2, "held-out R² of the joint fit of " + set);
    put("/r/" + set, fit.r, "held-out Pearson r of the joint fit of " + set);
    put("/alpha/" + set, fit.alpha, "its alpha");
  }
  for (std::size_t i = 0; i < spaces.size(); ++i) {
    put("/unique/" + spaces[i], partition.unique.row(static_cast<Index>(i)).transpose(),
        "R² of all spaces less R² without " + spaces[i]);
  }
  for (std::size_t i = 0; i < partition.pairs.size(); ++i) {
    const auto [a, b] = partition.pairs[i];
    const auto pair = set_of({a, b}, spaces);
    put("/shared/" + pair, partition.shared.row(static_cast<Index>(i)).transpose(),
        "R² that " + pair + " share with each other and with no other space");
  }
  if (spaces.size() > 2) put("/rest", partition.rest, "R² that three or more spaces share");
  writer.put("/joint", sets,
             {.attributes = {{"description", std::string("sets of spaces that were fitted")}}});
  writer.put("/spaces", spaces, {.attributes = {{"description", std::string("feature spaces, in order")}}});
  writer.commit();
}

std::string partition_csv(const std::vector<std::filesystem::path>& files) {
  std::string text = "subject,part,spaces,split,n,mean_r2,median_r2,mean_r\n";
  for (const auto& subject : read_subjects(files)) {
    for (const auto& line : subject.lines) {
      text += fmt::format("{},{},{},{},{},{:.6f},{:.6f},{}\n", subject.name, line.kind, line.spaces,
                          subject.held_out, subject.held_out_rows, line.mean, line.median,
                          line.kind == "joint" ? fmt::format("{:.6f}", line.mean_r) : "");
    }
  }
  return text;
}

std::string partition_text(const std::vector<std::filesystem::path>& files) {
  const auto subjects = read_subjects(files);
  const auto& first = subjects.front();
  std::string text = fmt::format("Held-out R², means over {} parcels", first.targets);
  for (const auto& subject : subjects) {
    text += fmt::format("\n  {}: fitted on {} TRs of base runs, held out {} TRs of {} runs", subject.name,
                        subject.fit_rows, subject.held_out_rows, subject.held_out);
  }
  std::size_t width = 12;
  for (const auto& line : first.lines) width = std::max(width, line.spaces.size());
  text += fmt::format("\n  {:<6}  {:<{}}", "", "", width);
  for (const auto& subject : subjects) text += fmt::format("  {:>8}", subject.name);
  text += fmt::format("  {:>8}\n", "mean");
  for (const auto& line : first.lines) {
    text += fmt::format("  {:<6}  {:<{}}", line.kind, line.spaces, width);
    double sum = 0;
    for (const auto& subject : subjects) {
      const double mean = subject.find(line)->mean;
      sum += mean;
      text += fmt::format("  {:>8.4f}", mean);
    }
    text += fmt::format("  {:>8.4f}\n", sum / static_cast<double>(subjects.size()));
  }
  return text +
         "unique: lost without the space; shared: what two have in common and no other has; rest: common to "
         "three or more.\nParts are differences: where there is nothing to explain they scatter about 0.\n";
}

}  // namespace cinecortex::stages
