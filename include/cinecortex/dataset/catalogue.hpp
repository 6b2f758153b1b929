#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "cinecortex/dataset/run_id.hpp"

namespace cinecortex::dataset {

/// One presentation of a run to a subject, in the challenge's HDF5.
struct FmriSource {
  std::filesystem::path file;
  std::string dataset;  ///< e.g. ses-001_task-figures01_run-1
  Index rows = 0;       ///< T
  Index targets = 0;
};

struct Run {
  RunId id;
  std::filesystem::path movie;                  ///< empty: none
  std::filesystem::path transcript;             ///< empty: none (silent movie)
  std::map<int, std::vector<FmriSource>> fmri;  ///< per subject, in order of the repeats
  std::map<int, Index> target_samples;          ///< per subject: rows asked for where the truth is withheld
  /// Rows a prediction for this subject has: the withheld count, else the longest repeat; 0: not shown to them.
  Index rows(int subject) const;
};

/// Every run of a data set in the challenge's layout (CNeuroMod, Algonauts 2025), with the files it consists of.
struct Catalogue {
  std::filesystem::path root;
  std::vector<int> subjects;
  std::map<int, Index> targets;                ///< parcels per subject
  std::map<int, std::filesystem::path> atlas;  ///< per subject, where there is one
  std::vector<Run> runs;                       ///< sorted by id

  const Run* find(std::string_view task) const;

  std::string to_json() const;  ///< for sending to other ranks
  static Catalogue from_json(const std::string& text);
};

/// Looks at names and headers only. Folders or files that are missing make runs incomplete, not errors; a root
/// or a subject that is not there, HDF5 that cannot be read, or subjects with different parcel counts are.
/// @param subjects  those to read, e.g. {1, 2, 3, 5}
/// @throws InputError naming the file or folder.   Collective: no (call it on one rank, send to_json()).
Catalogue scan(const std::filesystem::path& root, const std::vector<int>& subjects);

/// The folder and file names of the layout, for reading and for `synth`.
namespace layout {
std::filesystem::path movie(const std::filesystem::path& root, const RunId& run);
std::filesystem::path transcript(const std::filesystem::path& root, const RunId& run);
std::filesystem::path fmri_folder(const std::filesystem::path& root, int subject);
std::filesystem::path fmri_file(const std::filesystem::path& root, int subject, Collection collection,
                                Index targets);
std::filesystem::path sample_numbers(const std::filesystem::path& root, int subject, const std::string& part);
std::filesystem::path atlas(const std::filesystem::path& root, int subject, Index targets);
std::string subject_name(int subject);  ///< sub-01
}  // namespace layout

}  // namespace cinecortex::dataset
