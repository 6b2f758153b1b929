#include <fmt/format.h>

#include "cinecortex/dataset/catalogue.hpp"

namespace cinecortex::dataset::layout {

namespace {

std::string season_folder(const RunId& run) {
  return fmt::format("s{}", run.season);
}

std::filesystem::path subject_folder(const std::filesystem::path& root, int subject) {
  return root / "fmri" / subject_name(subject);
}

std::string space_and_atlas(Index targets) {
  return fmt::format("space-MNI152NLin2009cAsym_atlas-Schaefer18_parcel-{}Par7Net", targets);
}

}  // namespace

std::string subject_name(int subject) {
  return fmt::format("sub-{:02}", subject);
}

std::filesystem::path movie(const std::filesystem::path& root, const RunId& run) {
  const auto folder = root / "stimuli" / "movies" / name(run.collection);
  switch (run.collection) {
    case Collection::friends:
      return folder / season_folder(run) / fmt::format("friends_{}.mkv", run.task);
    case Collection::movie10:
      return folder / run.movie / fmt::format("{}.mkv", run.task);
    case Collection::ood:
      return folder / run.movie / fmt::format("task-{}_video.mkv", run.task);
  }
  throw Error("internal: unknown collection");
}

std::filesystem::path transcript(const std::filesystem::path& root, const RunId& run) {
  const auto folder = root / "stimuli" / "transcripts" / name(run.collection);
  const std::string inner = run.collection == Collection::friends ? season_folder(run) : run.movie;
  return folder / inner / fmt::format("{}_{}.tsv", name(run.collection), run.task);
}

std::filesystem::path fmri_folder(const std::filesystem::path& root, int subject) {
  return subject_folder(root, subject) / "func";
}

std::filesystem::path fmri_file(const std::filesystem::path& root, int subject, Collection collection,
                                Index targets) {
  return fmri_folder(root, subject) / fmt::format("{}_task-{}_{}{}_bold.h5", subject_name(subject),
                                                  name(collection), space_and_atlas(targets),
                                                  collection == Collection::friends ? "_desc-s123456" : "");
}

std::filesystem::path sample_numbers(const std::filesystem::path& root, int subject,
                                     const std::string& part) {
  return subject_folder(root, subject) / "target_sample_number" /
         fmt::format("{}_{}_fmri_samples.npy", subject_name(subject), part);
}

std::filesystem::path atlas(const std::filesystem::path& root, int subject, Index targets) {
  return subject_folder(root, subject) / "atlas" /
         fmt::format("{}_{}_desc-dseg_parcellation.nii.gz", subject_name(subject), space_and_atlas(targets));
}

}  // namespace cinecortex::dataset::layout
