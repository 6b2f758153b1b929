#include "alpha_nodes.hpp"

#include <Eigen/QR>
#include <cmath>

namespace cinecortex::encoding {
namespace {

/// Shrinkages on a grid so fine that nothing happens between its points: they change over a factor of e or so.
Eigen::MatrixXd shrinkages_between(double lowest, double highest, const std::vector<double>& alphas) {
  constexpr double points_per_e = 8;
  const double span = std::log(highest / lowest);
  const auto points = static_cast<Index>(std::ceil(points_per_e * span)) + 2;
  const Eigen::ArrayXd values = lowest * Eigen::ArrayXd::LinSpaced(points, 0.0, span).exp();
  Eigen::MatrixXd result(points, static_cast<Index>(alphas.size()));
  for (Index a = 0; a < result.cols(); ++a) {
    result.col(a) = values / (values + alphas[static_cast<std::size_t>(a)]);
  }
  return result;
}

}  // namespace

AlphaNodes::AlphaNodes(const std::vector<double>& alphas, double lowest, double highest, double tolerance) {
  const Eigen::MatrixXd all = shrinkages_between(lowest, highest, alphas);
  // The pivots of a QR factorisation are the alphas that the others are least like combinations of.
  const Eigen::ColPivHouseholderQR<Eigen::MatrixXd> qr(all);
  const auto& order = qr.colsPermutation().indices();
  const Index most = std::min(all.rows(), all.cols());
  for (Index count = 1;; ++count) {
    const auto r = qr.matrixR();
    Eigen::MatrixXd others = r.block(0, count, count, all.cols() - count);
    if (others.size() > 0) r.topLeftCorner(count, count).triangularView<Eigen::Upper>().solveInPlace(others);
    coefficients = MatrixD::Zero(count, all.cols());
    nodes.clear();
    for (Index q = 0; q < count; ++q) {
      nodes.push_back(order[q]);
      coefficients(q, order[q]) = 1;
    }
    for (Index a = count; a < all.cols(); ++a) coefficients.col(order[a]) = others.col(a - count);
    error = (all - all(Eigen::all, nodes) * coefficients).cwiseAbs().maxCoeff();
    if (error <= tolerance || count == most) return;
  }
}

}  // namespace cinecortex::encoding
