#pragma once
#include <memory>

#include "cinecortex/core/types.hpp"

namespace cinecortex::linalg {

class DeviceSum;

/// A sum of products aᵀb over pieces of rows, in float64. Pieces in float32 are multiplied in float32 (2048 rows at
/// most) and their product is added to the float64 sum: near float64's accuracy at float32's speed, and the same sum
/// however pieces are dealt to ranks. Pieces in float64 are multiplied in float64.   Collective: no.
/// On a GPU (device.hpp) the sum stays there until it is taken.
/// Memory: 8 bytes a number; once float32 came, 4 more for 4096 columns. Bound by the processor's gemm rate for pieces of
/// some hundred rows.
class ProductSum {
 public:
  ProductSum(Index rows, Index columns);
  ~ProductSum();
  ProductSum(ProductSum&&) noexcept;
  /// @param a  [n, rows]    @param b  [n, columns]    @throws Error if the shapes do not fit.
  void add(const ConstViewF& a, const ConstViewF& b);
  void add(const ConstViewD& a, const ConstViewD& b);
  /// The sum so far [rows, columns]; the object is empty afterwards.
  MatrixD take();

 private:
  Index rows_, columns_;
  /// Empty before the first piece, whose product is its first touch: by the threads that add to it.
  MatrixD total_;
  MatrixF recent_;
  std::unique_ptr<DeviceSum> on_device_;
};

/// The same for aᵀa: half the work. Memory: 8 bytes a number, and 4 more once float32 came.
class GramSum {
 public:
  explicit GramSum(Index columns);
  ~GramSum();
  GramSum(GramSum&&) noexcept;
  void add(const ConstViewF& a);
  void add(const ConstViewD& a);
  /// Both triangles [columns, columns]; the object is empty afterwards.
  MatrixD take();

 private:
  Index columns_;
  MatrixD total_;  ///< the upper triangle; as in ProductSum
  MatrixF recent_;
  std::unique_ptr<DeviceSum> on_device_;
};

}  // namespace cinecortex::linalg
