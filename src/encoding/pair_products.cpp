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
__attribute__((always_inline)) inline void add_rows(const Scalar* a, Index a_step, const Scalar* b,
                                                    Index b_step, Index width, Index rows, double* sums) {
  Scalar part[Count][strip] = {};
  for (Index i = 0; i < rows; ++i) {
    for (Index s = 0; s < Count; ++s) {
      for (Index v = 0; v < strip; ++v) part[s][v] += a[i * a_step + v] * b[i * b_step + s * width + v];
    }
  }
  for (Index s = 0; s < Count; ++s) {
    for (Index v = 0; v < strip; ++v) sums[s * width + v] += static_cast<double>(part[s][v]);
  }
}

/// A few rows at a time, so that all terms of a strip of targets stay in the cache while they are paired.
template <class Scalar>
__attribute__((always_inline)) inline void add(const ConstView<Scalar>& left, const ConstView<Scalar>& right,
                                               MatrixD& sums) {
  const Index width = sums.cols(), terms = left.cols() / width, others = right.cols() / width;
  const Index a_step = left.outerStride(), b_step = right.outerStride();
  for (Index begin = 0; begin < left.rows(); begin += flush_every) {
    const Index rows = std::min(flush_every, left.rows() - begin);
    for (Index first = 0; first < width; first += strip) {
      for (Index q = 0; q < terms; ++q) {
        const Scalar* a = left.data() + begin * a_step + q * width + first;
        for (Index s = 0; s < others;) {
          const Scalar* b = right.data() + begin * b_step + s * width + first;
          double* sum = sums.data() + (q * others + s) * width + first;
          if (s + some_terms <= others) {
            add_rows<some_terms>(a, a_step, b, b_step, width, rows, sum);
            s += some_terms;
          } else {
            add_rows<1>(a, a_step, b, b_step, width, rows, sum);
            ++s;
          }
        }
      }
    }
  }
}

}  // namespace

CINECORTEX_ANY_PROCESSOR void add_pair_products(const ConstViewF& left, const ConstViewF& right,
                                                MatrixD& sums) {
  add<float>(left, right, sums);
}
CINECORTEX_ANY_PROCESSOR void add_pair_products(const ConstViewD& left, const ConstViewD& right,
                                                MatrixD& sums) {
  add<double>(left, right, sums);
}

}  // namespace cinecortex::encoding
