#include "files.hpp"

#include <fmt/format.h>

#include "cinecortex/dataset/catalogue.hpp"
#include "cinecortex/io/hdf5.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "stimulus.hpp"

namespace cinecortex::stages::synthetic {
namespace {

using dataset::layout::subject_name;

constexpr const char* response_units = "standard deviations of the noiseless signal";

void write_scan(io::Hdf5Writer& writer, const std::string& path, const SynthConfig& config,
                const PlannedRun& run, const Presentation& shown, const Drive& drive,
                const SubjectModel& model, const parallel::Communicator& comm) {
  io::DatasetOptions options;
  options.type = io::Stored::float32;
  options.attributes = {
      {"units", response_units},
      {"description", "responses of " + subject_name(shown.subject) + " to " + run.id.task}};
  options.dimensions = {"TR", "parcel"};
  writer.create(path, {shown.rows, config.parcels}, options);
  const Range mine = partition(config.parcels, comm.size(), comm.rank());
  const MatrixF block = make_responses(config.seed, run, shown, drive.drive.at(run.id.task), model, mine);
  writer.write<float>(path, block, 0, mine.begin);
}

/// Describes a replicated data set.
io::DatasetOptions described(io::Stored type, const char* description, const char* units,
                             std::vector<std::string> dimensions) {
  io::DatasetOptions options;
  options.type = type;
  options.attributes = {{"description", description}, {"units", units}};
  options.dimensions = std::move(dimensions);
  return options;
}

void put_stimulus_truth(io::Hdf5Writer& writer, const SynthConfig& config,
                        const std::vector<PlannedRun>& runs, const Drive& drive) {
  std::vector<std::string> types;
  for (Index parcel = 0; parcel < config.parcels; ++parcel) {
    types.emplace_back(parcel_type_names[static_cast<std::size_t>(parcel_type(parcel, config.parcels))]);
  }
  writer.put("/parcel_type", types,
             described(io::Stored::other, "what drives the parcel; mixed: all three in equal parts", "",
                       {"parcel"}));
  writer.put(
      "/latent_names", latent_names(),
      described(io::Stored::other, "the planted features, columns of /latents and /drive", "", {"latent"}));
  writer.put("/haemodynamic_response", haemodynamic_response(config.tr_s),
             described(io::Stored::float64, "canonical double gamma, sampled every TR from 0", "1 (sum 1)",
                       {"lag"}));
  for (const auto& run : runs) {
    const std::string& task = run.id.task;
    writer.put("/latents/" + task, drive.latents.at(task),
               described(io::Stored::float64, "planted features of the movie", "standard deviations",
                         {"TR", "latent"}));
    writer.put(
        "/drive/" + task, drive.drive.at(task),
        described(io::Stored::float64,
                  "planted features through the haemodynamic response; drive times weights is the noiseless "
                  "signal",
                  "standard deviations of the latent", {"TR", "latent"}));
  }
}

void put_subject_truth(io::Hdf5Writer& writer, int subject, const SubjectModel& model) {
  const std::string name = subject_name(subject);
  writer.put(
      "/weights/" + name, model.weights,
      described(io::Stored::float64, "planted weights", "signal s.d. per drive unit", {"latent", "parcel"}));
  writer.put("/noise_variance/" + name, model.noise_variance,
             described(io::Stored::float64, "variance of noise and drift; the signal has 1",
                       "signal variance", {"parcel"}));
  writer.put("/noise_ceiling/" + name + "/single", noise_ceiling(model, 1),
             described(io::Stored::float64, "correlation of the noiseless signal with one scan", "Pearson r",
                       {"parcel"}));
  writer.put("/noise_ceiling/" + name + "/average", noise_ceiling(model, 2),
             described(io::Stored::float64, "correlation of the noiseless signal with the mean of two scans",
                       "Pearson r", {"parcel"}));
}

}  // namespace

void write_fmri(const SynthConfig& config, const std::vector<PlannedRun>& runs, int subject,
                dataset::Collection collection, const Drive& drive, const parallel::Communicator& comm) {
  const auto file = dataset::layout::fmri_file(config.root, subject, collection, config.parcels);
  io::Hdf5Writer writer(file, comm,
                        {{"description", "made-up fMRI of cinecortex synth"}, {"tr_s", config.tr_s}});
  const SubjectModel model = make_subject(config, subject, drive.covariance);
  for (const auto& run : runs) {
    if (run.withheld || run.id.collection != collection) continue;
    for (const auto& shown : run.presentations) {
      if (shown.subject == subject)
        write_scan(writer, "/" + shown.dataset, config, run, shown, drive, model, comm);
    }
  }
  writer.commit();
}

void write_truth(const SynthConfig& config, const std::vector<PlannedRun>& runs, const Drive& drive,
                 const parallel::Communicator& comm) {
  io::Hdf5Writer writer(config.root / "truth.h5", comm,
                        {{"description", "what cinecortex synth planted, and the responses it withheld"},
                         {"seed", static_cast<std::int64_t>(config.seed)},
                         {"tr_s", config.tr_s},
                         {"signal_to_noise", config.signal_to_noise}});
  put_stimulus_truth(writer, config, runs, drive);
  for (const int subject : config.subjects) {
    const SubjectModel model = make_subject(config, subject, drive.covariance);
    put_subject_truth(writer, subject, model);
    for (const auto& run : runs) {
      if (!run.withheld) continue;
      for (const auto& shown : run.presentations) {
        if (shown.subject != subject) continue;
        write_scan(writer, "/withheld/" + subject_name(subject) + "/" + run.id.task, config, run, shown,
                   drive, model, comm);
      }
    }
  }
  writer.commit();
}

}  // namespace cinecortex::stages::synthetic
