#include "held_out_rows.hpp"

#include <algorithm>

#include "columns.hpp"

namespace cinecortex::encoding {
namespace {

using linalg::gemm;
using linalg::product;

/// G̃ b of the statistics' rows, G̃ never being made.
MatrixD centred_gram_times(const Statistics& rows, const MatrixD& b) {
  MatrixD result = product(false, false, rows.gram, b);
  const VectorD rest = rows.sum_x / static_cast<double>(rows.rows);
  result.noalias() -= rows.sum_x * (rest.transpose() * b);
  return result;
}

/// Directions, the last ones, whose part of VᵀC float32 resolves once the others are taken out of C: its rounding is some
/// 1e-8 of the largest √λ that is left. None where too many would be taken out.
Index small_directions(const VectorD& values) {
  constexpr double wide = 256, widest = 4096;
  if (values.size() == 0) return 0;
  const double least = values[values.size() - 1];
  const Index large = std::count_if(values.data(), values.data() + values.size(),
                                    [&](double value) { return value > wide * least; });
  const Index taken_out = std::min(large, values.size() / 4);
  return values[taken_out] <= widest * least ? values.size() - taken_out : 0;
}

}  // namespace

HeldOutRows::HeldOutRows(const RidgeAxes& axes, const Statistics& test, const std::vector<double>& alphas,
                         Index targets, Products products)
    : axes_(axes), test_(test), alphas_(alphas), inverses_(axes.rank(), std::ssize(alphas)) {
  turned_ = inverses_.cols() * targets > axes.rank();
  for (Index a = 0; a < inverses_.cols(); ++a) {
    inverses_.col(a) = (axes.values().array() + alphas[static_cast<std::size_t>(a)]).inverse();
  }
  const VectorD mean_x = test.shift_x + test.sum_x / static_cast<double>(test.rows);
  offset_ = axes.vectors().transpose() * (mean_x - axes.mean_x());
  // Where G is not turned there is little to do in any precision.
  if (products == Products::single && turned_) {
    single_ = path_of<float>(turned_gram());
    single_vectors_ = axes.vectors().cast<float>();
    small_ = small_directions(axes.values());
  }
}

template <>
MatrixD HeldOutRows::projected<double>(const MatrixD& cross) const {
  return product(true, false, axes_.vectors(), cross);
}

template <>
MatrixD HeldOutRows::projected<float>(const MatrixD& cross) const {
  if (small_ == 0) return projected<double>(cross);
  const auto large = axes_.vectors().leftCols(axes_.rank() - small_);
  MatrixD result(axes_.rank(), cross.cols());
  auto of_large = result.topRows(large.cols());
  gemm(true, false, 1.0, large, cross, 0.0, of_large);
  MatrixD rest = cross;
  gemm(false, false, -1.0, large, of_large, 1.0, rest);
  result.bottomRows(small_) =
      product(true, false, single_vectors_.rightCols(small_), MatrixF(rest.cast<float>())).cast<double>();
  return result;
}

template <class Scalar>
HeldOutRows::Path<Scalar> HeldOutRows::path_of(const MatrixD& w) const {
  PathForm<Scalar> form(axes_.values(), w, alphas_);
  VectorD rounding = form.rounding(w);
  return {std::move(form), std::move(rounding)};
}

template <class Scalar>
Variation HeldOutRows::by_path(const Path<Scalar>& path, const MatrixD& fit) const {
  const MatrixD squares = fit.cwiseAbs2();
  const MatrixD shrinkages = axes_.values().asDiagonal() * inverses_;
  const MatrixD fitted = product(true, false, shrinkages.cwiseAbs2(), squares);
  const Eigen::RowVectorXd all = squares.colwise().sum();
  return {path.form(fit).cwiseMax(0.0), path.rounding.asDiagonal() * (fitted * all.asDiagonal()).cwiseSqrt()};
}

template <>
Variation HeldOutRows::variation<float>(const MatrixD& fit) const {
  return by_path(*single_, fit);
}

template <>
Variation HeldOutRows::variation<double>(const MatrixD& fit) const {
  return turned_ ? by_path(whole(), fit) : variation_by_alpha(fit);
}

double HeldOutRows::products() const {
  if (single_) return single_->form.products();
  return turned_ ? whole().form.products() : static_cast<double>(2 * std::ssize(alphas_));
}

/// W = Λ^-½ VᵀG̃V Λ^-½: half of it is multiplied, and mirrored.
MatrixD HeldOutRows::turned_gram() const {
  const Index rank = axes_.rank();
  const MatrixD scaled = axes_.vectors() * axes_.values().cwiseSqrt().cwiseInverse().asDiagonal();
  const MatrixD gv = centred_gram_times(test_, scaled);
  MatrixD w(rank, rank);
  linalg::gemm_lower(true, false, 1.0, scaled, gv, 0.0, w);
  linalg::mirror_lower(w);
  return w;
}

const HeldOutRows::Path<double>& HeldOutRows::whole() const {
  std::call_once(once_, [&] { whole_ = path_of<double>(turned_gram()); });
  return *whole_;
}

Variation HeldOutRows::variation_by_alpha(const MatrixD& fit) const {
  Variation variation{MatrixD(std::ssize(alphas_), fit.cols()),
                      MatrixD::Zero(std::ssize(alphas_), fit.cols())};
  const MatrixD scaled = axes_.values().cwiseSqrt().asDiagonal() * fit;
  for (Index a = 0; a < variation.squares.rows(); ++a) {
    const MatrixD weights =
        product(false, false, axes_.vectors(), MatrixD(inverses_.col(a).asDiagonal() * scaled));
    variation.squares.row(a) =
        weights.cwiseProduct(centred_gram_times(test_, weights)).colwise().sum().cwiseMax(0.0);
  }
  return variation;
}

}  // namespace cinecortex::encoding
