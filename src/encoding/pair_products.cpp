#include "pair_products.hpp"

#include <algorithm>

#include "any_processor.hpp"

namespace cinecortex::encoding {
namespace {

constexpr Index strip = 16;        ///< targets whose sums stay in registers
constexpr Index some_terms = 4;    ///< on the right, that share what is loaded of the left
constexpr Index flush_every = 32;  ///< rows that are summed in Scalar before they go to float64

/// Rows [begin, end) of one term on the left with `Count` neighbouring ones on the right.
template <Index Count, class Scalar>
__attribute__((always_inline)) inline void add_rows(const Scalar* a, const Scalar* b, Index width, Index step,
                                                    Index rows, double* sums) {
  Scalar part[Count][strip] = {};
  for (Index i = 0; i < rows; ++i) {
    for (Index s = 0; s < Count; ++s) {
      for (Index v = 0; v < strip; ++v) part[s][v] += a[i * step + v] * b[i * step + s * width + v];
    }
  }
  for (Index s = 0; s < Count; ++s) {
    for (Index v = 0; v < strip; ++v) sums[s * width + v] += static_cast<double>(part[s][v]);
  }
}

/// A few rows at a time, so that all terms of a strip of targets stay in the cache while they are paired.
template <class Scalar>
__attribute__((always_inline)) inline void add(const Matrix<Scalar>& left, const Matrix<Scalar>& right,
                                               Index terms, MatrixD& sums) {
  const Index width = sums.cols(), step = terms * width;
  for (Index begin = 0; begin < left.rows(); begin += flush_every) {
    const Index rows = std::min(flush_every, left.rows() - begin);
    for (Index first = 0; first < width; first += strip) {
      for (Index q = 0; q < terms; ++q) {
        const Scalar* a = left.data() + begin * step + q * width + first;
        for (Index s = 0; s < terms;) {
          const Scalar* b = right.data() + begin * step + s * width + first;
          double* sum = sums.data() + (q * terms + s) * width + first;
          if (s + some_terms <= terms) {
            add_rows<some_terms>(a, b, width, step, rows, sum);
            s += some_terms;
          } else {
            add_rows<1>(a, b, width, step, rows, sum);
            ++s;
          }
        }
      }
    }
  }
}

}  // namespace

CINECORTEX_ANY_PROCESSOR void add_pair_products(const MatrixF& left, const MatrixF& right, Index terms,
                                                MatrixD& sums) {
  add(left, right, terms, sums);
}
CINECORTEX_ANY_PROCESSOR void add_pair_products(const MatrixD& left, const MatrixD& right, Index terms,
                                                MatrixD& sums) {
  add(left, right, terms, sums);
}

}  // namespace cinecortex::encoding
