// Made-up fMRI: what is planted is what is there.
#include <gtest/gtest.h>

#include <cmath>

#include "../../src/stages/synth/atlas.hpp"
#include "../../src/stages/synth/random.hpp"
#include "../../src/stages/synth/responses.hpp"

namespace {

using namespace cinecortex;
using namespace cinecortex::stages;
using namespace cinecortex::stages::synthetic;

class SynthResponses : public ::testing::Test {
 protected:
  SynthResponses() {
    config_.parcels = 22;
    config_.runs_per_season = 6;
    runs_ = plan_runs(config_);
    for (const auto& run : runs_) {
      Random random(9, run.id.task);
      MatrixD raw(run.rows, latent_count);
      for (Index i = 0; i < raw.size(); ++i) raw.data()[i] = 3 + 2 * random.normal();
      if (!run.speech) raw.middleCols(language_columns.begin, language_count).setZero();
      raw_.push_back(std::move(raw));
    }
    drive_ = make_drive(runs_, raw_, config_.tr_s);
    model_ = make_subject(config_, 1, drive_.covariance);
  }
  const PlannedRun& run(const std::string& task) const {
    return *std::find_if(runs_.begin(), runs_.end(), [&](const auto& r) { return r.id.task == task; });
  }

  SynthConfig config_;
  std::vector<PlannedRun> runs_;
  std::vector<MatrixD> raw_;
  Drive drive_;
  SubjectModel model_;
};

double correlation(const VectorD& a, const VectorD& b) {
  const VectorD x = a.array() - a.mean(), y = b.array() - b.mean();
  return x.dot(y) / std::sqrt(x.squaredNorm() * y.squaredNorm());
}

TEST(SynthHaemodynamics, ResponsePeaksAfterFiveSecondsAndUndershoots) {
  const VectorD response = haemodynamic_response(0.1);
  Index peak = 0, trough = 0;
  response.maxCoeff(&peak);
  response.minCoeff(&trough);
  EXPECT_NEAR(double(peak) * 0.1, 5.0, 0.15);
  EXPECT_NEAR(double(trough) * 0.1, 15.5, 1.5);
  EXPECT_NEAR(response.sum(), 1, 1e-12);
  EXPECT_EQ(response[0], 0);
}

TEST_F(SynthResponses, LatentsAreStandardisedOverTheDataSet) {
  double sum = 0, squares = 0, count = 0;
  for (const auto& [task, latents] : drive_.latents) {
    sum += latents.col(2).sum();
    squares += latents.col(2).squaredNorm();
    count += double(latents.rows());
  }
  EXPECT_NEAR(sum / count, 0, 1e-9);
  EXPECT_NEAR(squares / count, 1, 1e-9);
  EXPECT_EQ(drive_.latents.at("chaplin1").middleCols(language_columns.begin, language_count).norm(), 0)
      << "a silent movie leaves language at its mean";
}

TEST_F(SynthResponses, DriveIsTheConvolution) {
  const VectorD response = haemodynamic_response(config_.tr_s);
  const MatrixD &latents = drive_.latents.at("s01e01a"), &drive = drive_.drive.at("s01e01a");
  ASSERT_EQ(drive.rows(), longest_rows(run("s01e01a")));
  for (const Index t : {Index{0}, Index{4}, Index{40}, drive.rows() - 1}) {
    double expected = 0;
    for (Index lag = 0; lag < response.size(); ++lag) {
      if (t - lag >= 0 && t - lag < latents.rows()) expected += response[lag] * latents(t - lag, 5);
    }
    EXPECT_NEAR(drive(t, 5), expected, 1e-12);
  }
}

TEST_F(SynthResponses, SignalsHaveVarianceOneAndComeFromTheirOwnLatents) {
  VectorD sum = VectorD::Zero(config_.parcels), squares = sum;
  double count = 0;
  for (const auto& [task, drive] : drive_.drive) {
    const MatrixD signal = drive * model_.weights;
    sum += signal.colwise().sum().transpose();
    squares += signal.colwise().squaredNorm().transpose();
    count += double(signal.rows());
  }
  for (Index parcel = 0; parcel < config_.parcels; ++parcel) {
    const double mean = sum[parcel] / count;
    EXPECT_NEAR(squares[parcel] / count - mean * mean, 1, 1e-9);
    const auto part = [&](Range columns) {
      return model_.weights.col(parcel).segment(columns.begin, columns.size()).norm();
    };
    const auto type = parcel_type(parcel, config_.parcels);
    const bool all = type == ParcelType::mixed;
    EXPECT_EQ(part(visual_columns) > 0, all || type == ParcelType::visual);
    EXPECT_EQ(part(auditory_columns) > 0, all || type == ParcelType::auditory);
    EXPECT_EQ(part(language_columns) > 0, all || type == ParcelType::language);
  }
}

TEST(SynthParcels, TypesAreQuarters) {
  EXPECT_EQ(parcel_type(0, 200), ParcelType::visual);
  EXPECT_EQ(parcel_type(50, 200), ParcelType::auditory);
  EXPECT_EQ(parcel_type(149, 200), ParcelType::language);
  EXPECT_EQ(parcel_type(199, 200), ParcelType::mixed);
  EXPECT_EQ(parcel_type(3, 4), ParcelType::mixed);
}

TEST_F(SynthResponses, SubjectsAreAlikeButNotTheSame) {
  const auto other = make_subject(config_, 2, drive_.covariance);
  double alike = 0;
  const Index visual_parcels = 5;
  for (Index parcel = 0; parcel < visual_parcels; ++parcel) {
    alike += correlation(model_.weights.col(parcel).head(visual_count),
                         other.weights.col(parcel).head(visual_count)) /
             double(visual_parcels);
  }
  EXPECT_GT(alike, 0.3);
  EXPECT_LT(alike, 0.95);
}

TEST_F(SynthResponses, RepeatsShareTheSignalAndNothingElse) {
  const auto& life = run("life01");
  const MatrixD& drive = drive_.drive.at("life01");
  const auto noise = [&](std::size_t repeat) -> MatrixD {
    const auto& shown = life.presentations[repeat];
    const MatrixF responses = make_responses(4, life, shown, drive, model_, {0, config_.parcels});
    return responses.cast<double>() - drive.topRows(shown.rows) * model_.weights;
  };
  const MatrixD first = noise(0), second = noise(1);
  const Index rows = std::min(first.rows(), second.rows());
  double mean = 0;
  for (Index parcel = 0; parcel < config_.parcels; ++parcel) {
    mean +=
        correlation(first.col(parcel).head(rows), second.col(parcel).head(rows)) / double(config_.parcels);
  }
  EXPECT_NEAR(mean, 0, 0.15);
}

TEST_F(SynthResponses, ABlockOfParcelsIsTheSameAsInTheWhole) {
  const auto& shown = run("s02e01a").presentations[0];
  const MatrixD& drive = drive_.drive.at("s02e01a");
  const MatrixF whole = make_responses(4, run("s02e01a"), shown, drive, model_, {0, config_.parcels});
  const MatrixF block = make_responses(4, run("s02e01a"), shown, drive, model_, {7, 12});
  EXPECT_LT((whole.middleCols(7, 5) - block).cwiseAbs().maxCoeff(), 1e-5F);
  EXPECT_EQ(make_responses(4, run("s02e01a"), shown, drive, model_, {3, 3}).cols(), 0);
}

TEST_F(SynthResponses, TheNoiseCeilingIsTheCorrelationWithTheSignal) {
  std::vector<double> signal, measured;
  constexpr Index parcel = 3;
  double noise = 0, count = 0;
  for (const auto& planned : runs_) {
    const MatrixD& drive = drive_.drive.at(planned.id.task);
    for (const auto& shown : planned.presentations) {
      if (shown.subject != 1) continue;
      const MatrixF y = make_responses(4, planned, shown, drive, model_, {parcel, parcel + 1});
      const VectorD s = drive.topRows(shown.rows) * model_.weights.col(parcel);
      signal.insert(signal.end(), s.begin(), s.end());
      for (Index t = 0; t < y.rows(); ++t) {
        measured.push_back(y(t, 0));
        noise += std::pow(y(t, 0) - s[t], 2);
        ++count;
      }
    }
  }
  const double r = correlation(Eigen::Map<VectorD>(signal.data(), Index(signal.size())),
                               Eigen::Map<VectorD>(measured.data(), Index(measured.size())));
  EXPECT_NEAR(r, noise_ceiling(model_, 1)[parcel], 0.04);
  EXPECT_NEAR(noise / count / model_.noise_variance[parcel], 1, 0.12);
  EXPECT_GT(noise_ceiling(model_, 2)[parcel], noise_ceiling(model_, 1)[parcel]);
}

TEST(SynthAtlas, LabelsEveryParcelFromBackToFront) {
  const auto atlas = make_atlas(1, 30);
  ASSERT_EQ(atlas.values.size(), std::size_t{97} * 115 * 97);
  std::vector<double> voxels(31), depth(31);
  for (std::size_t i = 0; i < atlas.values.size(); ++i) {
    const auto label = static_cast<std::size_t>(atlas.values[i]);
    ASSERT_LE(label, 30U);
    voxels[label] += 1;
    depth[label] += double(i / 97 % 115);
  }
  for (std::size_t label = 1; label <= 30; ++label) EXPECT_GT(voxels[label], 20) << label;
  EXPECT_GT(voxels[0], voxels[1] * 10);
  EXPECT_LT(depth[1] / voxels[1], depth[30] / voxels[30]);
}

}  // namespace
