#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "latents.hpp"

/// From latents to fMRI. A response is a linear readout of the haemodynamic drive, of variance 1 over the
/// data set, plus noise; so the noise ceiling is known.
namespace cinecortex::stages::synthetic {

enum class ParcelType { visual, auditory, language, mixed };
inline constexpr std::array<std::string_view, 4> parcel_type_names{"visual", "auditory", "language", "mixed"};
/// Quarters of the parcels, in the order of the type.
ParcelType parcel_type(Index parcel, Index parcels);

/// The canonical double-gamma response (peak after 5 s, undershoot after 15 s, ratio 6) sampled every TR from
/// 0 to 32 s, of sum 1.
VectorD haemodynamic_response(double tr_s);

/// What the stimuli do to the brain, over the whole data set.
struct Drive {
  std::map<std::string, MatrixD> latents;  ///< task → [L, latent_count], standardised over the data set
  std::map<std::string, MatrixD>
      drive;           ///< task → [longest_rows, latent_count], convolved; 0 before and after
  MatrixD covariance;  ///< [latent_count, latent_count] of all drive rows
};
/// @param raw  [L, latent_count] of each run in order. Runs without speech rest at the mean of the language
/// latents.
Drive make_drive(const std::vector<PlannedRun>& runs, const std::vector<MatrixD>& raw, double tr_s);

/// A subject's parcels. Subjects share most of their weights.
struct SubjectModel {
  MatrixD weights;         ///< [latent_count, parcels]: drive · weights has variance 1
  VectorD noise_variance;  ///< [parcels], drift included
};
SubjectModel make_subject(const SynthConfig& config, int subject, const MatrixD& covariance);

/// Correlation of the noiseless signal with the mean of `repeats` scans: sqrt(1 / (1 + noise_variance /
/// repeats)).
VectorD noise_ceiling(const SubjectModel& model, int repeats);

/// A scan of some parcels: signal + autocorrelated noise + slow drift.
/// @return [shown.rows, parcels.size()]
MatrixF make_responses(std::uint64_t seed, const PlannedRun& run, const Presentation& shown,
                       const MatrixD& drive, const SubjectModel& model, Range parcels);

}  // namespace cinecortex::stages::synthetic
