#pragma once
#include "cinecortex/core/types.hpp"

namespace cinecortex::linalg {

/// A sum of products aᵀb over pieces of rows, in float64. Pieces in float32 are multiplied in float32 and moved
/// to the float64 sum every 2048 rows: near float64's accuracy at float32's speed. Pieces in float64 are
/// multiplied in float64.   Collective: no.
/// Memory: 8 bytes a number, and 4 more once float32 came. Bound by the processor's gemm rate for pieces of
/// some hundred rows.
class ProductSum {
 public:
  ProductSum(Index rows, Index columns);
  /// @param a  [n, rows]    @param b  [n, columns]    @throws Error if the shapes do not fit.
  void add(const ConstViewF& a, const ConstViewF& b);
  void add(const ConstViewD& a, const ConstViewD& b);
  /// The sum so far [rows, columns]; the object is empty afterwards.
  MatrixD take();

 private:
  void flush();
  MatrixD total_;
  MatrixF recent_;
  Index recent_rows_ = 0;
};

/// The same for aᵀa: half the work.
class GramSum {
 public:
  explicit GramSum(Index columns);
  void add(const ConstViewF& a);
  void add(const ConstViewD& a);
  /// Both triangles [columns, columns]; the object is empty afterwards.
  MatrixD take();

 private:
  void flush();
  MatrixD total_;
  MatrixF recent_;
  Index recent_rows_ = 0;
};

}  // namespace cinecortex::linalg
