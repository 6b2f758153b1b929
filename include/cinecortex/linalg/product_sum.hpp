#pragma once
#include <memory>

#include "cinecortex/core/types.hpp"
#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::linalg {

class DeviceSum;

/// Rows that float32 sums up before they move to float64: more of them cost digits.
constexpr Index most_rows_of_float32 = 2048;

/// A sum of products aᵀb over pieces of rows, in float64. Pieces in float32 are multiplied and summed in float32, of
/// most_rows_of_float32 at most, until `settle` adds that sum to the float64 one: near float64's accuracy at float32's
/// speed. Which pieces settle together must not depend on the number of ranks, or the sum's rounding does.
/// Pieces in float64 are multiplied in float64.   Collective: no.
/// On a GPU (device.hpp) the sum stays there until it is taken, and each piece settles at once.
/// Memory: 8 bytes a number; once float32 came, 4 more for 4096 columns (where there are more, each piece settles at
/// once). Bound by the processor's gemm rate where some 1000 rows settle together; below, by moving the float32 sum.
class ProductSum {
 public:
  ProductSum(Index rows, Index columns);
  ~ProductSum();
  ProductSum(ProductSum&&) noexcept;
  /// @param a  [n, rows]    @param b  [n, columns]    @throws Error if the shapes do not fit.
  void add(const ConstViewF& a, const ConstViewF& b);
  void add(const ConstViewD& a, const ConstViewD& b);
  void settle();  ///< take() settles too
  /// The sum so far [rows, columns]; the object is empty afterwards.
  MatrixD take();

 private:
  Index rows_, columns_;
  /// Empty before the first piece, whose product is its first touch: by the threads that add to it.
  MatrixD total_;
  MatrixF recent_;
  Index recent_rows_ = 0;  ///< of pieces that have not settled
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
  void settle();
  /// The lower triangle [columns, columns], whatever is above: sum_symmetric goes on from it. The object is empty afterwards.
  MatrixD take();

 private:
  Index columns_;
  MatrixD total_;  ///< the lower triangle; as in ProductSum
  MatrixF recent_;
  Index recent_rows_ = 0;
  std::unique_ptr<DeviceSum> on_device_;
};

/// The sum of all ranks' symmetric matrices, of which only lower triangles are looked at and sent; both triangles on every
/// rank.   Collective: over comm.
void sum_symmetric(ViewD lower, const parallel::Communicator& comm);

}  // namespace cinecortex::linalg
