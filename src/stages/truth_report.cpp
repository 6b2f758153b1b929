#include "truth_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "cinecortex/io/hdf5.hpp"

namespace cinecortex::stages {
namespace {

using Subjects = std::map<std::string, VectorD>;  ///< a value a parcel for every subject

/// What `synth` planted, as far as scores can be compared with it.
struct Truth {
  std::vector<std::string> types;  ///< of each parcel
  Subjects single, average;        ///< noise ceilings of one presentation, and of the mean of two
};

Truth read_truth(const std::filesystem::path& file, const std::vector<int>& subjects) {
  const io::Hdf5Reader reader(file);
  Truth truth{reader.read_strings("/parcel_type"), {}, {}};
  for (const int subject : subjects) {
    const auto name = dataset::layout::subject_name(subject);
    truth.single[name] = reader.read_vector("/noise_ceiling/" + name + "/single");
    truth.average[name] = reader.read_vector("/noise_ceiling/" + name + "/average");
  }
  return truth;
}

/// Groups whose truth is the mean of two presentations.
std::set<std::string> averaged_groups(const Context& context, dataset::Repeats repeats) {
  std::set<std::string> groups;
  if (repeats == dataset::Repeats::keep) return groups;
  for (const auto* run : context.of(context.split.test)) {
    for (const auto& [subject, sources] : run->fmri) {
      if (sources.size() > 1) groups.insert(run->id.group());
    }
  }
  return groups;
}

/// Mean over the parcels of one type, then over subjects.
double mean_of_type(const Subjects& values, const std::vector<std::string>& types, const std::string& type) {
  double sum = 0;
  Index count = 0;
  for (const auto& [subject, r] : values) {
    if (r.size() != static_cast<Index>(types.size())) {
      throw InputError(
          fmt::format("truth.h5 knows {} parcels, but the data have {}: it is of another data set",
                      types.size(), r.size()));
    }
    for (Index parcel = 0; parcel < r.size(); ++parcel) {
      if (types[static_cast<std::size_t>(parcel)] != type) continue;
      sum += r[parcel];
      ++count;
    }
  }
  return count > 0 ? sum / static_cast<double>(count) : 0;
}

Subjects scores_of(const Scoreboard& board, const std::string& model, const std::string& group) {
  Subjects values;
  for (const auto& score : board.scores()) {
    if (score.model == model && score.group == group) values[score.subject] = score.r;
  }
  return values;
}

/// One line of the table: r of every model in parcels of one type, the best single space marked.
std::string type_line(const std::string& group, const std::string& type, const Truth& truth,
                      const Subjects& ceiling, const std::vector<std::string>& models,
                      const Scoreboard& board, nlohmann::json& details) {
  std::map<std::string, double> r;
  std::string best;
  for (const auto& model : models) {
    r[model] = mean_of_type(scores_of(board, model, group), truth.types, type);
    if (model != stacked_model && (best.empty() || r[model] > r[best])) best = model;
  }
  const double limit = mean_of_type(ceiling, truth.types, type);
  std::string line = fmt::format("  {:<9}", type);
  for (const auto& model : models) {
    line += fmt::format("  {:>{}}{}", fmt::format("{:.4f}", r[model]),
                        std::max<std::size_t>(model.size(), 7) - 1, model == best ? '*' : ' ');
  }
  details[group][type] = {{"r", r}, {"best_space", best}, {"planted_ceiling", limit}};
  return line +
         fmt::format("  {:>15.4f}  {:>4.0f}%\n", limit, limit > 0 ? 100 * r[stacked_model] / limit : 0);
}

}  // namespace

TruthReport truth_report(const Config& config, const Context& context, const Scoreboard& board,
                         const parallel::Communicator& comm) {
  TruthReport report;
  parallel::agree(comm, [&] {
    const auto file = context.catalogue.root / "truth.h5";
    if (!comm.root() || !std::filesystem::exists(file) || board.scores().empty()) return;
    const Truth truth = read_truth(file, context.catalogue.subjects);
    const auto averaged = averaged_groups(context, config.experiment.data.repeats);
    const std::set<std::string> types(truth.types.begin(), truth.types.end());
    for (const auto& group : board.groups()) {
      const auto& ceilings = averaged.contains(group) ? truth.average : truth.single;
      auto models = board.models(group);
      std::erase(models, ceiling_model);
      report.text += fmt::format(
          "{} beside the planted truth, by what drives a parcel (* the best single space)\n  {:<9}", group,
          "");
      for (const auto& model : models)
        report.text += fmt::format("  {:>{}}", model, std::max<std::size_t>(model.size(), 7));
      report.text += "  planted ceiling  stack\n";
      for (const auto& type : types) {
        report.text += type_line(group, type, truth, ceilings, models, board, report.details);
      }
      report.text += '\n';
    }
  });
  return report;
}

}  // namespace cinecortex::stages
