#include "pair_products.hpp"

#include <algorithm>

#include "any_processor.hpp"

namespace cinecortex::encoding {
namespace {

constexpr Index strip = 16;        ///< targets whose sums stay in registers
constexpr Index flush_every = 32;  ///< rows that are summed in Scalar before they go to float64

template <class Scalar>
__attribute__((always_inline)) inline void add(const Matrix<Scalar>& left, const Matrix<Scalar>& right,
                                               Index terms, MatrixD& sums) {
  const Index width = sums.cols(), step = terms * width;
  for (Index pair = 0; pair < terms * terms; ++pair) {
    for (Index first = 0; first < width; first += strip) {
      const Scalar* a = left.data() + (pair / terms) * width + first;
      const Scalar* b = right.data() + (pair % terms) * width + first;
      double* sum = sums.data() + pair * width + first;
      for (Index begin = 0; begin < left.rows(); begin += flush_every) {
        const Index end = std::min(begin + flush_every, left.rows());
        Scalar part[strip] = {};
        for (Index i = begin; i < end; ++i) {
          for (Index v = 0; v < strip; ++v) part[v] += a[i * step + v] * b[i * step + v];
        }
        for (Index v = 0; v < strip; ++v) sum[v] += static_cast<double>(part[v]);
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
