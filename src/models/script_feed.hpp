#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cinecortex/models/extractor.hpp"
#include "options.hpp"

namespace cinecortex::models {

/// What a scripted module is fed for one TR: it fills one slot of a batch.   Collective: no, none of it.
class ScriptFeed {
 public:
  virtual ~ScriptFeed() = default;
  virtual Needs needs() const = 0;
  virtual const std::vector<std::int64_t>& shape() const = 0;  ///< of one slot, without the batch
  virtual bool integral() const { return false; }  ///< whole numbers: the module gets int64, not float32
  virtual std::optional<FrameRequest> frame_request(Range) const { return std::nullopt; }
  /// @param rows  that the stimulus' frames were asked for; `row` is one of them
  /// @throws InputError where the stimulus lacks what is needed.
  virtual void fill(const Stimulus& stimulus, Range rows, Index row, std::span<float> slot) const = 0;
};

/// @throws InputError for options that do not go together.
std::unique_ptr<ScriptFeed> make_script_feed(const Options& options, double tr_s);

}  // namespace cinecortex::models
