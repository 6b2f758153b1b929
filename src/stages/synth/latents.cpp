#include "latents.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "random.hpp"

namespace cinecortex::stages::synthetic {
namespace {

// Slow enough for a haemodynamic response to follow, fast enough for many independent moments in a run.
constexpr double smoothness_s = 3.0;
constexpr double talk_smoothness_s = 5.0;
constexpr double limit = 2.5;

/// White noise under a Gaussian of `sigma_tr`, standardised over the run; tanh bounds it softly.
VectorD smooth_course(Random& random, Index rows, double sigma_tr) {
  const auto reach = static_cast<Index>(std::ceil(4 * sigma_tr));
  VectorD kernel(2 * reach + 1);
  for (Index i = -reach; i <= reach; ++i) {
    const double x = static_cast<double>(i) / sigma_tr;
    kernel[i + reach] = std::exp(-x * x / 2);
  }
  VectorD white(rows + 2 * reach);
  for (auto& value : white) value = random.normal();
  VectorD course(rows);
  for (Index i = 0; i < rows; ++i) course[i] = kernel.dot(white.segment(i, kernel.size()));
  course.array() -= course.mean();
  course *= std::sqrt(static_cast<double>(rows) / course.squaredNorm());
  return (limit * (course.array() / limit).tanh()).matrix();
}

MatrixD courses(std::uint64_t seed, const std::string& purpose, const PlannedRun& run, Index count,
                double sigma_tr) {
  MatrixD all(run.rows, count);
  Random random(seed, purpose + "/" + run.id.task);
  for (Index i = 0; i < count; ++i) all.col(i) = smooth_course(random, run.rows, sigma_tr);
  return all;
}

}  // namespace

std::vector<std::string> latent_names() {
  std::vector<std::string> names;
  for (Index i = 0; i < visual_count; ++i) names.push_back(fmt::format("visual: contrast of grating {}", i));
  for (Index i = 0; i < auditory_count; ++i)
    names.push_back(fmt::format("auditory: log amplitude of band {}", i));
  for (const char* name : {"words", "characters", "fraction of speech", "mean word length"}) {
    names.push_back(fmt::format("language: {}", name));
  }
  return names;
}

StimulusLatents draw_latents(std::uint64_t seed, const PlannedRun& run, double tr_s) {
  return {.visual = courses(seed, "visual", run, visual_count, smoothness_s / tr_s),
          .auditory = courses(seed, "auditory", run, auditory_count, smoothness_s / tr_s),
          .talk = courses(seed, "talk", run, 2, talk_smoothness_s / tr_s)};
}

double at_time(const MatrixD& latents, Index column, double time_tr) {
  const Index last = latents.rows() - 1;
  const double position = std::clamp(time_tr - 0.5, 0.0, static_cast<double>(last));
  const auto i = static_cast<Index>(position);
  const double x = position - static_cast<double>(i);
  const auto value = [&](Index row) { return latents(std::clamp<Index>(row, 0, last), column); };
  const double before = value(i - 1), left = value(i), right = value(i + 1), after = value(i + 2);
  // Catmull-Rom: passes through the rows, with continuous slope.
  return left +
         x / 2 *
             (right - before +
              x * (2 * before - 5 * left + 4 * right - after + x * (3 * (left - right) + after - before)));
}

MatrixD count_language(const Transcript& transcript, double tr_s) {
  const auto rows = static_cast<Index>(transcript.size());
  MatrixD counts = MatrixD::Zero(rows, language_count);
  for (Index row = 0; row < rows; ++row) {
    const auto& line = transcript[static_cast<std::size_t>(row)];
    double characters = 0;
    for (const auto& word : line.words) characters += static_cast<double>(word.size());
    const auto words = static_cast<double>(line.words.size());
    counts(row, 0) = words;
    counts(row, 1) = characters;
    counts(row, 3) = words > 0 ? characters / words : 0;
    for (std::size_t i = 0; i < line.words.size(); ++i) {
      const double begin = line.onsets_s[i] / tr_s, end = begin + line.durations_s[i] / tr_s;
      // A word that begins at the end of a TR is spoken in the next as well.
      for (Index tr = row; tr < rows && static_cast<double>(tr) < end; ++tr) {
        const auto tr_begin = static_cast<double>(tr);
        counts(tr, 2) += std::max(0.0, std::min(end, tr_begin + 1) - std::max(begin, tr_begin));
      }
    }
  }
  return counts;
}

}  // namespace cinecortex::stages::synthetic
