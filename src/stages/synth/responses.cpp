#include "responses.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "random.hpp"

namespace cinecortex::stages::synthetic {
namespace {

constexpr double response_length_s = 32;
constexpr double shared_variance = 0.6;   ///< of the weights between subjects
constexpr double noise_spread = 0.35;     ///< s.d. of the log noise variance between parcels
constexpr double noise_spread_limit = 2;  ///< in s.d.
constexpr double drift_share = 0.1;       ///< of the noise variance
constexpr int drift_waves = 3;            ///< half periods of a run: 1, 2, 3
constexpr double autoregression = 0.4;    ///< of neighbouring TRs

double gamma_density(double t, double shape) {
  return t <= 0 ? 0 : std::exp((shape - 1) * std::log(t) - t - std::lgamma(shape));
}

std::vector<Range> driving_columns(ParcelType type) {
  switch (type) {
    case ParcelType::visual:
      return {visual_columns};
    case ParcelType::auditory:
      return {auditory_columns};
    case ParcelType::language:
      return {language_columns};
    case ParcelType::mixed:
      break;
  }
  return {visual_columns, auditory_columns, language_columns};
}

bool rests(const PlannedRun& run, Index column) {
  return !run.speech && column >= language_columns.begin;
}

/// Mean and standard deviation of a latent over the runs that show it.
std::pair<double, double> moments(const std::vector<PlannedRun>& runs, const std::vector<MatrixD>& raw,
                                  Index column) {
  double sum = 0, squares = 0, count = 0;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (rests(runs[i], column)) continue;
    sum += raw[i].col(column).sum();
    squares += raw[i].col(column).squaredNorm();
    count += static_cast<double>(raw[i].rows());
  }
  const double mean = sum / count;
  return {mean, std::sqrt(std::max(squares / count - mean * mean, 0.0))};
}

MatrixD convolved(const MatrixD& latents, const VectorD& response, Index rows) {
  MatrixD result = MatrixD::Zero(rows, latents.cols());
  for (Index t = 0; t < rows; ++t) {
    for (Index lag = 0; lag < response.size() && lag <= t; ++lag) {
      if (t - lag < latents.rows()) result.row(t) += response[lag] * latents.row(t - lag);
    }
  }
  return result;
}

VectorD draw_weights(std::uint64_t seed, const std::string& purpose, Index parcel) {
  Random random(seed, fmt::format("weights/{}/{}", purpose, parcel));
  VectorD weights(latent_count);
  for (auto& weight : weights) weight = random.normal();
  return weights;
}

/// Leaves the weights of the driving columns, each kind with the same share of a signal of variance 1.
VectorD scaled_to_unit_signal(const VectorD& weights, ParcelType type, const MatrixD& covariance) {
  VectorD scaled = VectorD::Zero(latent_count);
  for (const Range& columns : driving_columns(type)) {
    const auto part = weights.segment(columns.begin, columns.size());
    const double variance =
        part.dot(covariance.block(columns.begin, columns.begin, columns.size(), columns.size()) * part);
    scaled.segment(columns.begin, columns.size()) = part / std::sqrt(variance);
  }
  return scaled / std::sqrt(scaled.dot(covariance * scaled));
}

/// Cosines of random size and phase, slower than a run, of expected variance `variance`.
void add_drift(Random& random, double variance, Eigen::Ref<Eigen::VectorXf, 0, Eigen::InnerStride<>> out) {
  const double size = std::sqrt(2 * variance / drift_waves);
  for (int wave = 1; wave <= drift_waves; ++wave) {
    const double amplitude = size * random.normal(), phase = random.uniform(0, 2 * std::numbers::pi);
    for (Index t = 0; t < out.size(); ++t) {
      const double turn = std::numbers::pi * wave * double(t) / double(out.size());
      out[t] += static_cast<float>(amplitude * std::cos(turn + phase));
    }
  }
}

void add_autocorrelated_noise(Random& random, double variance,
                              Eigen::Ref<Eigen::VectorXf, 0, Eigen::InnerStride<>> out) {
  const double innovation = std::sqrt(variance * (1 - autoregression * autoregression));
  double value = std::sqrt(variance) * random.normal();
  for (Index t = 0; t < out.size(); ++t) {
    out[t] += static_cast<float>(value);
    value = autoregression * value + innovation * random.normal();
  }
}

}  // namespace

ParcelType parcel_type(Index parcel, Index parcels) {
  constexpr auto types = static_cast<Index>(parcel_type_names.size());
  for (Index type = 0; type < types; ++type) {
    if (parcel < partition(parcels, types, type).end) return static_cast<ParcelType>(type);
  }
  throw Error("internal: a parcel beyond the last");
}

VectorD haemodynamic_response(double tr_s) {
  VectorD response(static_cast<Index>(response_length_s / tr_s) + 1);
  for (Index i = 0; i < response.size(); ++i) {
    const double t = double(i) * tr_s;
    response[i] = gamma_density(t, 6) - gamma_density(t, 16) / 6;
  }
  return response / response.sum();
}

Drive make_drive(const std::vector<PlannedRun>& runs, const std::vector<MatrixD>& raw, double tr_s) {
  Drive result;
  std::vector<std::pair<double, double>> scale;
  for (Index column = 0; column < latent_count; ++column) scale.push_back(moments(runs, raw, column));
  const VectorD response = haemodynamic_response(tr_s);
  Eigen::RowVectorXd sum = Eigen::RowVectorXd::Zero(latent_count);
  result.covariance = MatrixD::Zero(latent_count, latent_count);
  double rows = 0;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    MatrixD latents = MatrixD::Zero(raw[i].rows(), latent_count);
    for (Index column = 0; column < latent_count; ++column) {
      const auto [mean, deviation] = scale[static_cast<std::size_t>(column)];
      if (rests(runs[i], column)) continue;
      latents.col(column) = (raw[i].col(column).array() - mean) / deviation;
    }
    const MatrixD drive = convolved(latents, response, longest_rows(runs[i]));
    sum += drive.colwise().sum();
    result.covariance += drive.transpose() * drive;
    rows += static_cast<double>(drive.rows());
    result.drive[runs[i].id.task] = drive;
    result.latents[runs[i].id.task] = std::move(latents);
  }
  result.covariance = result.covariance / rows - (sum / rows).transpose() * (sum / rows);
  return result;
}

SubjectModel make_subject(const SynthConfig& config, int subject, const MatrixD& covariance) {
  SubjectModel model{.weights = MatrixD(latent_count, config.parcels),
                     .noise_variance = VectorD(config.parcels)};
  for (Index parcel = 0; parcel < config.parcels; ++parcel) {
    const VectorD shared = draw_weights(config.seed, "shared", parcel);
    const VectorD own = draw_weights(config.seed, fmt::format("sub-{}", subject), parcel);
    const VectorD weights = std::sqrt(shared_variance) * shared + std::sqrt(1 - shared_variance) * own;
    model.weights.col(parcel) =
        scaled_to_unit_signal(weights, parcel_type(parcel, config.parcels), covariance);
    Random random(config.seed, fmt::format("noise variance/{}/{}", subject, parcel));
    const double spread = std::clamp(random.normal(), -noise_spread_limit, noise_spread_limit);
    model.noise_variance[parcel] = std::exp(noise_spread * spread) / config.signal_to_noise;
  }
  return model;
}

VectorD noise_ceiling(const SubjectModel& model, int repeats) {
  return (1 + model.noise_variance.array() / repeats).rsqrt();
}

MatrixF make_responses(std::uint64_t seed, const PlannedRun& run, const Presentation& shown,
                       const MatrixD& drive, const SubjectModel& model, Range parcels) {
  const MatrixD signal = drive.topRows(shown.rows) * model.weights.middleCols(parcels.begin, parcels.size());
  MatrixF responses = signal.cast<float>();
  for (Index parcel = parcels.begin; parcel < parcels.end; ++parcel) {
    Random random(seed, fmt::format("noise/{}/{}/{}/{}", run.id.task, shown.subject, shown.repeat, parcel));
    const double variance = model.noise_variance[parcel];
    auto column = responses.col(parcel - parcels.begin);
    add_autocorrelated_noise(random, (1 - drift_share) * variance, column);
    add_drift(random, drift_share * variance, column);
  }
  return responses;
}

}  // namespace cinecortex::stages::synthetic
