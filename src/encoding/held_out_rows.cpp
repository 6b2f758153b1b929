#include "held_out_rows.hpp"

#include <algorithm>

#include "columns.hpp"

namespace cinecortex::encoding {
namespace {

using linalg::gemm;
using linalg::product;

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

HeldOutRows::HeldOutRows(const RidgeAxes& axes, const CentredStatistics& test,
                         const std::vector<double>& alphas, Index targets, Products products)
    : axes_(axes),
      test_(test),
      alphas_(alphas),
      turned_(std::ssize(alphas) * targets > axes.rank()),
      basis_(axes.vectors() * axes.values().cwiseSqrt().cwiseInverse().asDiagonal()),
      beside_largest_(axes.rank(), std::ssize(alphas)),
      at_largest_(VectorD::Ones(std::ssize(alphas))),
      offset_(basis_.transpose() * (test.mean_x() - axes.mean_x())) {
  for (Index a = 0; a < at_largest_.size() && axes.rank() > 0; ++a) {
    const double alpha = alphas[static_cast<std::size_t>(a)], largest = axes.values()[0];
    at_largest_[a] = largest / (largest + alpha);
    beside_largest_.col(a) =
        axes.values().array() / largest * ((largest + alpha) / (axes.values().array() + alpha));
  }
  // Where G is not turned there is little to do in any precision.
  if (products == Products::single && turned_) {
    single_ = path_of<float>(turned_gram());
    single_basis_ = basis_.cast<float>();
    small_ = small_directions(axes.values());
  }
}

template <>
MatrixD HeldOutRows::projected<double>(const CentredStatistics& rows, Range targets,
                                       const VectorD& factors) const {
  return product(true, false, basis_, rows.cross<double>(targets, factors));
}

template <>
MatrixF HeldOutRows::projected<float>(const CentredStatistics& rows, Range targets,
                                      const VectorD& factors) const {
  const Index large = axes_.rank() - small_;
  if (large == 0) return product(true, false, single_basis_, rows.cross<float>(targets, factors));
  if (small_ == 0) return projected<double>(rows, targets, factors).cast<float>();
  MatrixF result(axes_.rank(), targets.size());
  MatrixD rest = rows.cross<double>(targets, factors);
  const MatrixD of_large = product(true, false, basis_.leftCols(large), rest);
  result.topRows(large) = of_large.cast<float>();
  const MatrixD back = axes_.values().head(large).cwiseSqrt().asDiagonal() * of_large;
  gemm(false, false, -1.0, axes_.vectors().leftCols(large), back, 1.0, rest);
  gemm(true, false, 1.0F, single_basis_.rightCols(small_), MatrixF(rest.cast<float>()), 0.0F,
       result.bottomRows(small_));
  return result;
}

template <class Scalar>
HeldOutRows::Path<Scalar> HeldOutRows::path_of(const MatrixD& w) const {
  PathForm<Scalar> form(axes_.values(), w, alphas_);
  VectorD rounding = form.rounding(w);
  return {std::move(form), std::move(rounding)};
}

template <class Scalar>
Variation HeldOutRows::by_path(const Path<Scalar>& path, const Matrix<Scalar>& fit) const {
  const Eigen::RowVectorXd squares = fit.colwise().squaredNorm().template cast<double>();
  const MatrixD sizes = (path.form.shrunken_squares(fit) * squares.asDiagonal()).cwiseSqrt();
  return {path.form(fit).cwiseMax(0.0), path.rounding.asDiagonal() * sizes};
}

template <>
Variation HeldOutRows::variation<float>(const MatrixF& fit) const {
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
  const MatrixD image = product(false, false, test_.gram(), basis_);
  MatrixD w(axes_.rank(), axes_.rank());
  linalg::gemm_lower(true, false, 1.0, basis_, image, 0.0, w);
  linalg::mirror_lower(w);
  return w;
}

const HeldOutRows::Path<double>& HeldOutRows::whole() const {
  std::call_once(once_whole_, [&] { whole_ = path_of<double>(turned_gram()); });
  return *whole_;
}

const MatrixD& HeldOutRows::gram() const {
  std::call_once(once_gram_, [&] { gram_ = test_.gram(); });
  return gram_;
}

Variation HeldOutRows::variation_by_alpha(const MatrixD& fit) const {
  Variation variation{MatrixD(at_largest_.size(), fit.cols()), MatrixD::Zero(at_largest_.size(), fit.cols())};
  for (Index a = 0; a < variation.squares.rows(); ++a) {
    const VectorD shrinkage = at_largest_[a] * beside_largest_.col(a);
    const MatrixD weights = product(false, false, basis_, MatrixD(shrinkage.asDiagonal() * fit));
    variation.squares.row(a) =
        weights.cwiseProduct(product(false, false, gram(), weights)).colwise().sum().cwiseMax(0.0);
  }
  return variation;
}

}  // namespace cinecortex::encoding
