#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>

#include "cinecortex/core/error.hpp"
#include "cinecortex/models/extractor.hpp"

/// Help for the tests of models: a movie that needs no file, and extraction in chunks.
namespace cinecortex::models::testing {

inline std::filesystem::path parity_folder() {
  const char* tests = std::getenv("CINECORTEX_TEST_DATA");
  return std::filesystem::path(tests != nullptr ? tests : "tests") / "parity" / "models";
}

/// A run whose picture drifts and flickers, as a function of frame number and position, and has sound and
/// words.
class MadeUpRun {
 public:
  MadeUpRun(double tr_s, double video_s, double frame_rate_hz = 24) {
    info_.run = "s01e01a";
    info_.tr_s = tr_s;
    info_.video_s = video_s;
    info_.audio_s = video_s;
    info_.frame_rate_hz = frame_rate_hz;
    for (Index i = 0; i < std::llround(video_s * 16000); ++i) {
      const double t = static_cast<double>(i) / 16000;
      audio_.push_back(
          static_cast<float>(0.3 * std::sin(6.28 * (200 + 150 * t) * t) + 0.01 * std::sin(37.0 * i * i)));
    }
  }

  RunInfo& info() { return info_; }
  const RunInfo& info() const { return info_; }
  std::vector<float>& audio() { return audio_; }
  Transcript& transcript() { return transcript_; }

  FrameStack frames(const FrameRequest& request) const {
    FrameStack stack{.count = static_cast<Index>(request.times_s.size()),
                     .height = request.height,
                     .width = request.width,
                     .channels = request.channels(),
                     .pixels = {}};
    const auto last = static_cast<Index>(std::llround(info_.video_s * info_.frame_rate_hz)) - 1;
    for (const double time_s : request.times_s) {
      const auto frame = std::min(last, static_cast<Index>(std::floor(time_s * info_.frame_rate_hz + 1e-9)));
      for (int y = 0; y < stack.height; ++y) {
        for (int x = 0; x < stack.width; ++x) {
          for (int channel = 0; channel < stack.channels; ++channel) {
            const double wave = std::sin(0.5 * x + 0.3 * y - 0.4 * static_cast<double>(frame) + channel) +
                                0.5 * std::sin(12.9898 * x * (y + 3) + 7.1 * static_cast<double>(frame));
            stack.pixels.push_back(static_cast<std::uint8_t>(std::lround(127.5 + 80 * wave)));
          }
        }
      }
    }
    return stack;
  }

  /// Rows of the run, extracted in pieces of at most `chunk` TRs.
  MatrixF extract(Extractor& extractor, Range rows, Index chunk) const {
    MatrixF result(rows.size(), extractor.readings()[0].width);
    for (Index begin = rows.begin; begin < rows.end; begin += chunk) {
      const Range part{begin, std::min(rows.end, begin + chunk)};
      Stimulus stimulus{.info = info_, .frames = nullptr, .audio = audio_, .transcript = transcript_};
      FrameStack stack;
      if (const auto request = extractor.frame_request(info_, part)) {
        stack = frames(*request);
        stimulus.frames = &stack;
      }
      std::vector<MatrixF> outputs{MatrixF::Constant(part.size(), result.cols(), -77.0f)};
      extractor.extract(stimulus, part, outputs);
      result.middleRows(begin - rows.begin, part.size()) = outputs[0];
    }
    return result;
  }

 private:
  RunInfo info_;
  std::vector<float> audio_;
  Transcript transcript_;
};

/// All rows at once equal any partition of them, and their order does not matter.
inline void expect_chunks_do_not_matter(const MadeUpRun& run, Extractor& extractor, Index rows) {
  const MatrixF whole = run.extract(extractor, {0, rows}, rows);
  ASSERT_TRUE(whole.allFinite());
  const float scale = whole.cwiseAbs().maxCoeff();
  for (const Index chunk : {1, 2, 3, 5}) {
    const MatrixF pieces = run.extract(extractor, {0, rows}, chunk);
    EXPECT_LE((pieces - whole).cwiseAbs().maxCoeff(), 1e-6f * scale) << "chunks of " << chunk;
  }
  for (Index row = rows - 1; row >= 0; row -= 2) {
    const MatrixF one = run.extract(extractor, {row, row + 1}, 1);
    EXPECT_LE((one - whole.row(row)).cwiseAbs().maxCoeff(), 1e-6f * scale) << "row " << row << " alone";
  }
}

inline std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no InputError";
}

inline void expect_message(const std::function<void()>& action, const std::vector<std::string>& parts) {
  const std::string message = message_of(action);
  EXPECT_EQ(message.find('\n'), std::string::npos) << "more than one line: " << message;
  for (const auto& part : parts) {
    EXPECT_NE(message.find(part), std::string::npos) << "no \"" << part << "\" in: " << message;
  }
}

}  // namespace cinecortex::models::testing
