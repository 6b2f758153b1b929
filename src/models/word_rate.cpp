#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cinecortex/core/error.hpp"
#include "factories.hpp"

namespace cinecortex::models {
namespace {

/// Characters of UTF-8 text: bytes that do not continue a character.
Index code_points(const std::string& text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

/// Times at which someone speaks, anywhere in a run: disjoint, ascending.
class SpeechIntervals {
 public:
  SpeechIntervals(const RunInfo& info, std::span<const TranscriptRow> transcript) {
    for (std::size_t row = 0; row < transcript.size(); ++row) add(info, row, transcript[row]);
    merge();
  }

  /// Seconds of speech in [begin_s, end_s).
  double within(double begin_s, double end_s) const {
    auto from = std::upper_bound(intervals_.begin(), intervals_.end(), begin_s,
                                 [](double time, const Interval& interval) { return time < interval.end_s; });
    double total_s = 0;
    for (; from != intervals_.end() && from->begin_s < end_s; ++from) {
      total_s += std::min(from->end_s, end_s) - std::max(from->begin_s, begin_s);
    }
    return total_s;
  }

 private:
  struct Interval {
    double begin_s, end_s;
  };

  void add(const RunInfo& info, std::size_t row, const TranscriptRow& words) {
    if (words.onsets_s.size() != words.words.size() || words.durations_s.size() != words.words.size()) {
      throw InputError(fmt::format("{}: transcript row {}: {} words, but {} onsets and {} durations",
                                   info.run, row + 1, words.words.size(), words.onsets_s.size(),
                                   words.durations_s.size()));
    }
    for (std::size_t i = 0; i < words.words.size(); ++i) {
      const double begin_s = words.onsets_s[i], end_s = begin_s + words.durations_s[i];
      if (begin_s < end_s)
        intervals_.push_back({begin_s, end_s});  // false for NaN: a word without a known time
    }
  }

  void merge() {
    std::sort(intervals_.begin(), intervals_.end(),
              [](const Interval& a, const Interval& b) { return a.begin_s < b.begin_s; });
    std::vector<Interval> merged;
    for (const auto& interval : intervals_) {
      if (!merged.empty() && interval.begin_s <= merged.back().end_s) {
        merged.back().end_s = std::max(merged.back().end_s, interval.end_s);
      } else {
        merged.push_back(interval);
      }
    }
    intervals_ = std::move(merged);
  }

  std::vector<Interval> intervals_;
};

class WordRate final : public Extractor {
 public:
  WordRate(double tr_s, std::string identity) : tr_s_(tr_s), identity_(std::move(identity)) {
    const std::vector<std::string> columns{
        "words", "characters", "speech_fraction", "word_length_mean", "word_length_sd", "word_length_max"};
    readings_.push_back({.name = "", .width = static_cast<Index>(columns.size()), .columns = columns});
  }

  Needs needs() const override { return Needs::text; }
  const std::vector<Reading>& readings() const override { return readings_; }
  std::string identity() const override { return identity_; }

  void extract(const Stimulus& stimulus, Range rows, std::span<MatrixF> outputs) override {
    if (rows.end > static_cast<Index>(stimulus.transcript.size())) {
      throw InputError(fmt::format("{}: word_rate needs {} transcript rows, but there are {}",
                                   stimulus.info.run, rows.end, stimulus.transcript.size()));
    }
    const SpeechIntervals speech(stimulus.info, stimulus.transcript);
    for (Index row = rows.begin; row < rows.end; ++row) {
      const double begin_s = static_cast<double>(row) * tr_s_, end_s = static_cast<double>(row + 1) * tr_s_;
      outputs[0].row(row - rows.begin) = describe(stimulus.transcript[static_cast<std::size_t>(row)].words,
                                                  speech.within(begin_s, end_s) / tr_s_);
    }
  }

 private:
  static Eigen::RowVectorXf describe(const std::vector<std::string>& words, double speech_fraction) {
    Eigen::ArrayXd lengths(static_cast<Index>(words.size()));
    for (std::size_t i = 0; i < words.size(); ++i) {
      lengths[static_cast<Index>(i)] = static_cast<double>(code_points(words[i]));
    }
    const bool any = lengths.size() > 0;
    const double mean = any ? lengths.mean() : 0;
    Eigen::RowVectorXd values(6);
    values << static_cast<double>(words.size()), lengths.sum(), std::min(speech_fraction, 1.0), mean,
        any ? std::sqrt((lengths - mean).square().mean()) : 0, any ? lengths.maxCoeff() : 0;
    return values.cast<float>();
  }

  double tr_s_;
  std::string identity_;
  std::vector<Reading> readings_;
};

}  // namespace

std::unique_ptr<Extractor> make_word_rate(const Options& options, const ModelConfig& config) {
  Digest identity;
  identity.add("word_rate 1").add(config.tr_s);
  options.add_to(identity);
  return std::make_unique<WordRate>(config.tr_s, identity.hex());
}

}  // namespace cinecortex::models
