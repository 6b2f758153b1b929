#pragma once
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "cinecortex/core/stimulus.hpp"
#include "cinecortex/core/types.hpp"

namespace cinecortex::models {

/// What is known of a run before anything of it is decoded.
struct RunInfo {
  std::string run;  ///< e.g. s01e01a
  double tr_s = 1.49;
  double video_s = 0;         ///< length of the video stream; 0: none
  double audio_s = 0;         ///< length of the sound; 0: none
  double frame_rate_hz = 0;   ///< nominal; 0: unknown
  Index transcript_rows = 0;  ///< 0: no transcript
};

/// What a feature space may see of a run while it computes some of its rows. Everything outlives the call.
struct Stimulus {
  const RunInfo& info;
  const FrameStack* frames = nullptr;  ///< the answer to frame_request(info, rows); null if none was asked
  std::span<const float> audio;        ///< the whole run, mono, 16 kHz, from movie time 0
  std::span<const TranscriptRow> transcript;  ///< the whole run
};

/// One output of an extractor. Most have one, named ""; InternVL gives three from one forward pass.
struct Reading {
  std::string name;
  Index width = 0;                   ///< d, columns of the feature matrix
  std::vector<std::string> columns;  ///< a name per column; empty where columns have no meaning of their own
};

enum class Needs : unsigned { none = 0, frames = 1, audio = 2, text = 4 };
constexpr Needs operator|(Needs a, Needs b) {
  return Needs(unsigned(a) | unsigned(b));
}
constexpr bool has(Needs set, Needs flag) {
  return (unsigned(set) & unsigned(flag)) != 0;
}

/// Turns TRs of a run into feature rows. Rows of a run may be asked for in any chunks and order: the result
/// must not depend on the chunking (context before and after the chunk is the extractor's to ask for).
/// Not thread-safe: one object a rank.   Collective: no, none of it.
class Extractor {
 public:
  virtual ~Extractor() = default;

  virtual Needs needs() const = 0;
  virtual const std::vector<Reading>& readings() const = 0;

  /// Rows of a run, L. Default: transcript rows if only text is needed, else round(duration / TR), where the
  /// duration is the video's, or the sound's where there is no video; 0 where the run has neither.
  virtual Index rows(const RunInfo& info) const;

  /// Frames that extract() will want for these rows, context included; nullopt if none.
  /// @pre rows lies in [0, rows(info)), here and in extract().
  virtual std::optional<FrameRequest> frame_request(const RunInfo& info, Range rows) const;

  /// Computes `rows` of the run: one matrix [rows.size(), width] a reading, already sized; an empty one of a reading
  /// that is not wanted.
  /// @throws InputError where the stimulus cannot serve (names the run).
  virtual void extract(const Stimulus& stimulus, Range rows, std::span<MatrixF> outputs) = 0;

  /// Settings and weights as a fingerprint: equal identities give equal features.
  virtual std::string identity() const = 0;
};

/// The value of one key of a [[space]] table.
using Option =
    std::variant<bool, std::int64_t, double, std::string, std::vector<double>, std::vector<std::string>>;

/// A model's own keys in the experiment file, for checking, `--help` and the documentation.
struct OptionInfo {
  std::string name;
  Option default_value;  ///< its alternative is the type that is allowed (an integer is taken for a double)
  std::string help;      ///< one line with the unit
  std::vector<std::string> allowed{};  ///< of a text option: the words there are; empty: any text
  double minimum = -std::numeric_limits<double>::infinity();  ///< of a number, or of each number of a list
  double maximum = std::numeric_limits<double>::infinity();
  bool changes_features =
      true;  ///< false: only how fast they come, so features made with another value are kept
};
struct ModelInfo {
  std::string name;  ///< the `model` of a [[space]]
  std::string help;
  bool needs_weights = false;
  std::vector<OptionInfo> options;
};

/// Every model there is, in a fixed order.   Collective: no.
const std::vector<ModelInfo>& model_catalogue();

/// @return the value, an integer made a double where a double is wanted
/// @throws InputError naming the value and what is allowed (the caller adds the place): another type, a word
///         that is not in `allowed`, a number out of range or not finite.   Collective: no.
Option checked_option(const OptionInfo& info, const Option& value);

struct ModelConfig {
  std::string model;
  std::filesystem::path weights;
  std::map<std::string, Option> options;  ///< keys of ModelInfo::options; missing ones take their default
  double tr_s = 1.49;
  std::string device = "cpu";  ///< cpu | cuda | cuda:N
};

/// @throws InputError: unknown model (with a suggestion), unknown or mistyped option, missing weights.
std::unique_ptr<Extractor> make_extractor(const ModelConfig& config);

}  // namespace cinecortex::models
