#include "submission.hpp"

#include <fstream>
#include <map>

#include "cinecortex/core/digest.hpp"
#include "cinecortex/io/hdf5.hpp"
#include "cinecortex/io/pickle.hpp"
#include "cinecortex/io/text_file.hpp"

namespace cinecortex::stages {
namespace {

using Runs = std::vector<const dataset::Run*>;

/// Withheld test runs by the challenge's parts.
std::map<std::string, Runs> parts(const Context& context) {
  std::map<std::string, Runs> found;
  for (const auto* run : context.of(context.split.test)) {
    if (run->target_samples.empty()) continue;
    const bool friends = run->id.collection == dataset::Collection::friends;
    found[friends ? "friends-s" + std::to_string(run->id.season) : "ood"].push_back(run);
  }
  return found;
}

void write_part(const Context& context, const std::filesystem::path& file, const Runs& runs) {
  io::SubmissionWriter writer(file);
  for (const int subject : context.catalogue.subjects) {
    const io::Hdf5Reader predictions(context.outputs.predictions(subject));
    writer.begin_subject(dataset::layout::subject_name(subject));
    for (const auto* run : runs) {
      if (!run->target_samples.contains(subject)) continue;
      writer.add_run(run->id.task, predictions.read<float>("/stacked/" + run->id.task));
    }
    writer.end_subject();
  }
  writer.finish();
}

/// What a submission is made from: subjects, their predictions, and the runs asked for.
std::string part_digest(const Context& context, const Runs& runs) {
  Digest digest;
  for (const int subject : context.catalogue.subjects) {
    digest.add(std::int64_t{subject}).add(stored_digest(context.outputs.predictions(subject)));
  }
  for (const auto* run : runs) digest.add(run->id.task);
  return digest.hex();
}

std::string read_line(const std::filesystem::path& file) {
  std::string line;
  std::getline(std::ifstream(file) >> std::ws, line);
  return line;
}

}  // namespace

std::vector<std::filesystem::path> write_submissions(const Context& context,
                                                     const parallel::Communicator& comm) {
  std::vector<std::filesystem::path> zips;
  for (const auto& [part, runs] : parts(context)) {
    const auto file = context.outputs.submission(part);
    auto zip = file;
    zip.replace_extension(".zip");
    zips.push_back(zip);
    parallel::agree(comm, [&, &runs = runs] {
      if (!comm.root()) return;
      const auto digest = part_digest(context, runs);
      auto note = file;  // the challenge's formats have no room for a fingerprint
      note.replace_extension(".digest");
      if (std::filesystem::exists(zip) && read_line(note) == digest) return;
      std::filesystem::create_directories(file.parent_path());
      std::filesystem::remove(zip);  // it must not outlive predictions that it was not made from
      write_part(context, file, runs);
      io::zip_file(zip, file);
      io::write_text(note, digest + '\n');
    });
  }
  return zips;
}

}  // namespace cinecortex::stages
