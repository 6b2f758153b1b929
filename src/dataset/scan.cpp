#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <set>
#include <tuple>

#include "cinecortex/core/error.hpp"
#include "cinecortex/core/log.hpp"
#include "cinecortex/dataset/catalogue.hpp"
#include "cinecortex/io/hdf5.hpp"
#include "cinecortex/io/pickle.hpp"

namespace cinecortex::dataset {

namespace fs = std::filesystem;

namespace {

constexpr std::array collections{Collection::friends, Collection::movie10, Collection::ood};
constexpr std::array<std::string_view, 2> withheld_parts{"friends-s7", "ood"};

/// What a folder holds, sorted; a folder that is missing holds nothing.
std::vector<fs::path> entries(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(folder, missing)) found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

/// The part of a file name between prefix and suffix, if it has both.
std::optional<std::string> between(const fs::path& file, std::string_view prefix, std::string_view suffix) {
  const std::string name = file.filename().string();
  if (name.size() < prefix.size() + suffix.size() || !name.starts_with(prefix) || !name.ends_with(suffix)) {
    return std::nullopt;
  }
  return name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
}

/// An fMRI data set's name taken apart: ses-001_task-figures01_run-1.
struct Presentation {
  RunId run;
  std::string session;
  std::string repeat;  ///< "1", "2"; empty where it was shown once
};

std::optional<Presentation> parse_presentation(const std::string& dataset, Collection collection) {
  constexpr std::string_view session_key = "ses-", task_key = "_task-", repeat_key = "_run-";
  const std::size_t task_at = dataset.find(task_key);
  if (!dataset.starts_with(session_key) || task_at == std::string::npos) return std::nullopt;
  std::string task = dataset.substr(task_at + task_key.size());
  std::string repeat;
  if (const std::size_t repeat_at = task.find(repeat_key); repeat_at != std::string::npos) {
    repeat = task.substr(repeat_at + repeat_key.size());
    task.resize(repeat_at);
  }
  auto run = parse_task(task, collection);
  if (!run) return std::nullopt;
  return Presentation{std::move(*run), dataset.substr(session_key.size(), task_at - session_key.size()),
                      repeat};
}

class Scanner {
 public:
  Scanner(const fs::path& root, const std::vector<int>& subjects) {
    catalogue_.root = root;
    catalogue_.subjects = subjects;
  }

  Catalogue scan() {
    for (const Collection collection : collections) scan_stimuli(collection);
    for (const int subject : catalogue_.subjects) scan_subject(subject);
    check_targets();
    for (auto& [id, run] : runs_) catalogue_.runs.push_back(std::move(run));
    return std::move(catalogue_);
  }

 private:
  Run& at(const RunId& id) {
    Run& run = runs_[id];
    run.id = id;
    return run;
  }

  void scan_stimuli(Collection collection);
  void scan_subject(int subject);
  void scan_fmri(int subject, Collection collection, const fs::path& file);
  void scan_sample_numbers(int subject, Collection collection, const fs::path& file);
  void check_targets() const;

  Catalogue catalogue_;
  std::map<RunId, Run> runs_;
  std::map<int, fs::path> first_file_;  ///< per subject, where its parcel count was read
};

/// Files are found by listing folders, then kept only if the layout puts that run exactly there.
void Scanner::scan_stimuli(Collection collection) {
  const std::string_view kind = name(collection);
  const std::string friends_prefix = "friends_";
  const std::string movie_prefix =
      collection == Collection::friends ? friends_prefix : (collection == Collection::ood ? "task-" : "");
  const std::string movie_suffix = collection == Collection::ood ? "_video.mkv" : ".mkv";
  const auto note = [&](const char* stimuli, const std::string& prefix, const std::string& suffix, auto place,
                        fs::path Run::*member) {
    for (const fs::path& folder : entries(catalogue_.root / "stimuli" / stimuli / kind)) {
      for (const fs::path& file : entries(folder)) {
        const auto task = between(file, prefix, suffix);
        const auto id = task ? parse_task(*task, collection) : std::nullopt;
        if (id && id->collection == collection && place(catalogue_.root, *id) == file && fs::exists(file)) {
          at(*id).*member = file;
        }
      }
    }
  };
  note("movies", movie_prefix, movie_suffix, layout::movie, &Run::movie);
  note("transcripts", fmt::format("{}_", kind), ".tsv", layout::transcript, &Run::transcript);
}

void Scanner::scan_subject(int subject) {
  const std::string name = layout::subject_name(subject);
  const fs::path folder = catalogue_.root / "fmri" / name;
  if (!fs::is_directory(folder)) {
    std::string there;
    for (const fs::path& entry : entries(catalogue_.root / "fmri")) {
      if (fs::is_directory(entry)) there += (there.empty() ? "" : ", ") + entry.filename().string();
    }
    throw InputError(fmt::format("subject {}: there is no folder {}; there is {}", subject, folder.string(),
                                 there.empty() ? "no subject at all" : there));
  }
  for (const fs::path& file : entries(layout::fmri_folder(catalogue_.root, subject))) {
    for (const Collection collection : collections) {
      if (between(file, fmt::format("{}_task-{}_", name, dataset::name(collection)), "_bold.h5") &&
          fs::exists(file)) {
        scan_fmri(subject, collection, file);
      }
    }
  }
  for (const std::string_view part : withheld_parts) {
    const fs::path file = layout::sample_numbers(catalogue_.root, subject, std::string(part));
    const Collection collection = part == "ood" ? Collection::ood : Collection::friends;
    if (fs::exists(file)) scan_sample_numbers(subject, collection, file);
  }
  for (const fs::path& file : entries(folder / "atlas")) {
    if (between(file, name, "dseg_parcellation.nii.gz") && fs::exists(file)) catalogue_.atlas[subject] = file;
  }
}

void Scanner::scan_fmri(int subject, Collection collection, const fs::path& file) {
  const io::Hdf5Reader reader(file);
  struct Found {
    Presentation shown;
    FmriSource source;
  };
  std::vector<Found> found;
  Index unknown = 0;
  std::string unknown_name;
  for (const std::string& dataset : reader.children()) {
    auto shown = parse_presentation(dataset, collection);
    if (!shown) {
      ++unknown;
      unknown_name = dataset;
      continue;
    }
    const io::DatasetInfo info = reader.info("/" + dataset);
    if (info.shape.size() != 2 || info.shape[0] <= 0 || info.shape[1] <= 0 ||
        info.type == io::Stored::other) {
      throw InputError(
          fmt::format("{}: data set {} must be a matrix of numbers, TRs × parcels", file.string(), dataset));
    }
    const auto [known, first] = catalogue_.targets.emplace(subject, info.shape[1]);
    if (first) first_file_[subject] = file;
    if (!first && known->second != info.shape[1]) {
      throw InputError(fmt::format(
          "{}: data set {} has {} parcels, but {} of this subject were found before (in {})", file.string(),
          dataset, info.shape[1], known->second, first_file_.at(subject).string()));
    }
    found.push_back({std::move(*shown), {file, dataset, info.shape[0], info.shape[1]}});
  }
  if (unknown > 0) {
    log::warn("{}: {} data sets are not named ses-NNN_task-NAME and are ignored (the last: {})",
              file.string(), unknown, unknown_name);
  }
  const auto order = [](const Found& one) {
    return std::tie(one.shown.repeat, one.shown.session, one.source.dataset);
  };
  std::sort(found.begin(), found.end(), [&](const Found& a, const Found& b) { return order(a) < order(b); });
  for (Found& one : found) at(one.shown.run).fmri[subject].push_back(std::move(one.source));
}

/// The number in a value: a Python int, or a NumPy integer (an array without axes).
std::optional<Index> whole_number(const io::PyValue& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value.value)) return *number;
  const auto* array = std::get_if<io::PyArray>(&value.value);
  if (array == nullptr || !array->shape.empty()) return std::nullopt;
  const auto as = [&]<class Stored>(Stored stored) -> std::optional<Index> {
    if (array->bytes.size() != sizeof stored) return std::nullopt;
    std::memcpy(&stored, array->bytes.data(), sizeof stored);
    return static_cast<Index>(stored);
  };
  if (array->descr == "<i8") return as(std::int64_t{});
  if (array->descr == "<i4") return as(std::int32_t{});
  return std::nullopt;
}

void Scanner::scan_sample_numbers(int subject, Collection collection, const fs::path& file) {
  const io::PyValue content = io::read_pickled_npy(file);
  const auto* numbers = std::get_if<io::PyDict>(&content.value);
  if (numbers == nullptr)
    throw InputError(fmt::format("{}: holds no dict of run: number of samples", file.string()));
  for (const auto& [task, value] : *numbers) {
    const auto id = parse_task(task, collection);
    if (!id || id->collection != collection) {
      throw InputError(
          fmt::format("{}: '{}' is not the name of a run of {}", file.string(), task, name(collection)));
    }
    const auto count = whole_number(value);
    if (!count || *count <= 0) {
      throw InputError(fmt::format("{}: the number of samples of '{}' must be a whole number above 0",
                                   file.string(), task));
    }
    at(*id).target_samples[subject] = *count;
  }
}

void Scanner::check_targets() const {
  if (catalogue_.targets.empty()) return;
  const auto [first, expected] = *catalogue_.targets.begin();
  for (const auto& [subject, targets] : catalogue_.targets) {
    if (targets == expected) continue;
    throw InputError(fmt::format("subjects have different parcel counts: {} has {} ({}), {} has {} ({})",
                                 layout::subject_name(first), expected, first_file_.at(first).string(),
                                 layout::subject_name(subject), targets, first_file_.at(subject).string()));
  }
}

}  // namespace

Catalogue scan(const fs::path& root, const std::vector<int>& subjects) {
  if (!fs::is_directory(root)) {
    throw InputError(fmt::format("data set {}: there is no such folder", root.string()));
  }
  if (subjects.empty()) throw InputError("no subjects are given; the challenge's are 1, 2, 3, 5");
  if (std::set<int>(subjects.begin(), subjects.end()).size() != subjects.size()) {
    throw InputError(fmt::format("data set {}: a subject is given twice", root.string()));
  }
  return Scanner(root, subjects).scan();
}

}  // namespace cinecortex::dataset
