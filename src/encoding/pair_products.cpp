#include "pair_products.hpp"

#include <algorithm>

#include "any_processor.hpp"

namespace cinecortex::encoding {
namespace {

constexpr Index strip = 16;        ///< targets whose sums stay in registers
constexpr Index some_terms = 4;    ///< of a side, that share what is loaded of the other
constexpr Index flush_every = 32;  ///< rows that are summed in Scalar before they go to float64

/// Some rows of the terms of a strip of targets.
template <class Scalar>
struct Side {
  const Scalar* numbers;
  Index row_step, term_step;

  Side from(Index term) const { return {numbers + term * term_step, row_step, term_step}; }
};

/// Neighbouring terms on the left with neighbouring ones on the right.
/// @param left_step, right_step  from the sums of a term to those of the next
template <Index Left, Index Right, class Scalar>
__attribute__((always_inline)) inline void add_rows(Side<Scalar> a, Side<Scalar> b, Index rows, double* sums,
                                                    Index left_step, Index right_step) {
  Scalar part[Left][Right][strip] = {};
  for (Index i = 0; i < rows; ++i) {
    for (Index q = 0; q < Left; ++q) {
      for (Index s = 0; s < Right; ++s) {
        for (Index v = 0; v < strip; ++v) {
          part[q][s][v] += a.numbers[i * a.row_step + q * a.term_step + v] *
                           b.numbers[i * b.row_step + s * b.term_step + v];
        }
      }
    }
  }
  for (Index q = 0; q < Left; ++q) {
    for (Index s = 0; s < Right; ++s) {
      double* const sum = sums + q * left_step + s * right_step;
      for (Index v = 0; v < strip; ++v) sum[v] += static_cast<double>(part[q][s][v]);
    }
  }
}

template <Index Left, class Scalar>
__attribute__((always_inline)) inline void add_terms(Side<Scalar> a, Side<Scalar> b, Index others, Index rows,
                                                     double* sums, Index left_step, Index right_step) {
  Index s = 0;
  for (; s + some_terms <= others; s += some_terms)
    add_rows<Left, some_terms>(a, b.from(s), rows, sums + s * right_step, left_step, right_step);
  for (; s < others; ++s) add_rows<Left, 1>(a, b.from(s), rows, sums + s * right_step, left_step, right_step);
}

/// A few rows at a time, so that all terms of a strip of targets stay in the cache while they are paired.
template <class Scalar>
__attribute__((always_inline)) inline void add(const ConstView<Scalar>& left, const ConstView<Scalar>& right,
                                               MatrixD& sums) {
  const Index width = sums.cols(), terms = left.cols() / width, others = right.cols() / width;
  const Index left_step = others * width;
  for (Index begin = 0; begin < left.rows(); begin += flush_every) {
    const Index rows = std::min(flush_every, left.rows() - begin);
    for (Index first = 0; first < width; first += strip) {
      const Side<Scalar> a{left.data() + begin * left.outerStride() + first, left.outerStride(), width};
      const Side<Scalar> b{right.data() + begin * right.outerStride() + first, right.outerStride(), width};
      double* const sum = sums.data() + first;
      Index q = 0;
      for (; q + some_terms <= terms; q += some_terms)
        add_terms<some_terms>(a.from(q), b, others, rows, sum + q * left_step, left_step, width);
      for (; q < terms; ++q) add_terms<1>(a.from(q), b, others, rows, sum + q * left_step, left_step, width);
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
