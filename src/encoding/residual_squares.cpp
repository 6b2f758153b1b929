#include "residual_squares.hpp"

#include <vector>

#include "any_processor.hpp"

namespace cinecortex::encoding {
namespace {

constexpr Index strip = targets_of_a_strip;

template <class Scalar>
struct Strip {
  const Scalar* terms;  ///< [rows, .] p_q at q · width
  Index terms_row, width;
  const Scalar* y;  ///< [rows, .]
  Index y_row;
  const Scalar* weights;  ///< [rows, A]
  Index weights_row;
  const Scalar* coefficients;  ///< [A, R]
  Index coefficients_row;
  Index rows, alphas, count;
  Scalar* scratch;  ///< [A, strip]
  double* sums;     ///< [A, strip]
};

/// Row `i` at `Count` neighbouring alphas, which share what is loaded of the terms.
template <Index Count, class Scalar>
__attribute__((always_inline)) inline void add_row(const Strip<Scalar>& of, Index i, Index first) {
  const Scalar* y = of.y + i * of.y_row;
  const Scalar* term = of.terms + i * of.terms_row;
  const Scalar* coefficients = of.coefficients + first * of.coefficients_row;
  Scalar residual[Count][strip];
  for (Index a = 0; a < Count; ++a) {
    for (Index v = 0; v < strip; ++v) residual[a][v] = y[v];
  }
  for (Index q = 0; q < of.count; ++q, term += of.width) {
    for (Index a = 0; a < Count; ++a) {
      const Scalar coefficient = coefficients[a * of.coefficients_row + q];
      for (Index v = 0; v < strip; ++v) residual[a][v] -= coefficient * term[v];
    }
  }
  for (Index a = 0; a < Count; ++a) {
    const Scalar weight = of.weights[i * of.weights_row + first + a];
    Scalar* sum = of.scratch + (first + a) * strip;
    for (Index v = 0; v < strip; ++v) {
      const Scalar weighted = residual[a][v] * weight;
      sum[v] += weighted * weighted;
    }
  }
}

template <class Scalar>
__attribute__((always_inline)) inline void add_rows(const Strip<Scalar>& of) {
  constexpr Index flush_every = 32;  // rows that are summed in Scalar before they go to float64
  constexpr Index together = 5;      // alphas whose residuals stay in registers
  for (Index i = 0; i < of.rows; ++i) {
    Index a = 0;
    for (; a + together <= of.alphas; a += together) add_row<together>(of, i, a);
    for (; a < of.alphas; ++a) add_row<1>(of, i, a);
    if (i % flush_every == flush_every - 1 || i + 1 == of.rows) {
      for (Index j = 0; j < of.alphas * strip; ++j) {
        of.sums[j] += static_cast<double>(of.scratch[j]);
        of.scratch[j] = 0;
      }
    }
  }
}

CINECORTEX_ANY_PROCESSOR void add(const Strip<float>& of) {
  add_rows(of);
}
CINECORTEX_ANY_PROCESSOR void add(const Strip<double>& of) {
  add_rows(of);
}

template <class Scalar>
void add(const ConstView<Scalar>& terms, Index width, Index first, const ConstView<Scalar>& y,
         const ConstView<Scalar>& weights, const ConstView<Scalar>& coefficients, MatrixD& sums) {
  const Index alphas = coefficients.rows();
  std::vector<Scalar> scratch(static_cast<std::size_t>(alphas * strip));
  add(Strip<Scalar>{.terms = terms.data() + first,
                    .terms_row = terms.outerStride(),
                    .width = width,
                    .y = y.data(),
                    .y_row = y.outerStride(),
                    .weights = weights.data(),
                    .weights_row = weights.outerStride(),
                    .coefficients = coefficients.data(),
                    .coefficients_row = coefficients.outerStride(),
                    .rows = y.rows(),
                    .alphas = alphas,
                    .count = coefficients.cols(),
                    .scratch = scratch.data(),
                    .sums = sums.data()});
}

}  // namespace

void add_residual_squares(const ConstViewF& terms, Index width, Index first, const ConstViewF& y,
                          const ConstViewF& weights, const ConstViewF& coefficients, MatrixD& sums) {
  add<float>(terms, width, first, y, weights, coefficients, sums);
}
void add_residual_squares(const ConstViewD& terms, Index width, Index first, const ConstViewD& y,
                          const ConstViewD& weights, const ConstViewD& coefficients, MatrixD& sums) {
  add<double>(terms, width, first, y, weights, coefficients, sums);
}

}  // namespace cinecortex::encoding
