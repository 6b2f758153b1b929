#include "cinecortex/linalg/leading_eigen.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "cinecortex/linalg/counter_random.hpp"
#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/linalg/distributed_eigen.hpp"
#include "cinecortex/parallel/agree.hpp"

namespace cinecortex::linalg {
namespace {

using parallel::agree;
using parallel::Communicator;

std::span<double> numbers(MatrixD& values) {
  return {values.data(), static_cast<std::size_t>(values.size())};
}

/// Whole vectors on every rank from every rank's columns of them; sums of one number and zeros are exact.
MatrixD gathered(const ConstViewD& local, Index n, Range mine, const Communicator& comm) {
  MatrixD whole = agree(comm, [&] {
    MatrixD values = MatrixD::Zero(local.rows(), n);
    values.middleCols(mine.begin, mine.size()) = local;
    return values;
  });
  if (comm.size() > 1) comm.sum(numbers(whole));
  return whole;
}

class BlockKrylov {
 public:
  BlockKrylov(Index n, const SymmetricProduct& product, const LeadingOptions& options,
              const Communicator& comm)
      : n_(n),
        mine_(partition(n, comm.size(), comm.rank())),
        product_(product),
        options_(options),
        comm_(comm),
        most_(krylov_basis(n, options)) {}

  LeadingPairs solve() {
    agree(comm_, [&] {
      basis_.resize(most_ + options_.block, mine_.size());
      skew_ = VectorD::Zero(most_ + options_.block);
      projected_ = MatrixD::Zero(most_, most_);
    });
    append(MatrixD::Zero(options_.block, mine_.size()), {});
    constexpr double hardly_smaller = 0.25;  // where it converges a restart leaves a tenth or less
    for (double before = std::numeric_limits<double>::infinity();;) {
      while (size_ + options_.block <= most_) expand();
      rayleigh_ritz();
      const double residual = largest_residual();
      const bool only_rounding = residual <= options_.rounding && residual > hardly_smaller * before;
      const bool converged = residual <= options_.tolerance || only_rounding;
      if (converged || products_ >= options_.most_products) return result(residual, converged);
      before = residual;
      restart();
    }
  }

 private:
  MatrixD rows_times(const ConstViewD& a, const ConstViewD& b) const {  // a bᵀ over all ranks' columns
    MatrixD sum = product(false, true, a, b);
    if (comm_.size() > 1) comm_.sum(numbers(sum));
    return sum;
  }

  /// Multiplies the pending block, which thereby joins the basis, and makes a new pending one of what the
  /// product holds that the basis does not.
  void expand() {
    const Index block = options_.block;
    MatrixD images = product_(gathered(basis_.middleRows(size_, block), n_, mine_, comm_));
    products_ += block;
    size_ += block;
    const MatrixD overlap = subtract_basis(images);
    projected_.block(0, size_ - block, size_, block) = overlap;
    projected_.block(size_ - block, 0, block, size_) = overlap.transpose();
    remainder_ = rows_times(images, images);
    append(std::move(images), overlap);
  }

  /// vectors := vectors - (vectors Vᵀ) V; returns V vectorsᵀ [size, rows].
  MatrixD subtract_basis(MatrixD& vectors) const {
    MatrixD overlap = rows_times(basis_.topRows(size_), vectors);
    if (size_ > 0) gemm(true, false, -1.0, overlap, basis_.topRows(size_), 1.0, vectors);
    return overlap;
  }

  /// The pending block becomes an orthonormal basis of `vectors`, from which the basis was subtracted once;
  /// directions that vanish are replaced by random ones.
  /// @param subtracted  what was, in the basis [size, rows]
  void append(MatrixD vectors, const MatrixD& subtracted) {
    constexpr double negligible = 1e-8;  // what is left after the round that finds this little is its square
    constexpr int most_rounds = 12;
    constexpr double enough = 1e-11;
    double skew = comm_.max(skew_left(normalise(vectors), subtracted));
    for (int round = 0; !(skew < enough); ++round) {
      if (round == most_rounds) throw NumericalError("the block Krylov solver lost orthogonality");
      const MatrixD overlap = subtract_basis(vectors);
      const double departure = normalise(vectors).departure;
      const double largest = overlap.size() == 0 ? 0.0 : overlap.cwiseAbs().maxCoeff();
      if (comm_.max(std::max(largest, departure)) < negligible) skew = 0;
    }
    basis_.middleRows(size_, options_.block) = vectors;
    skew_.segment(size_, options_.block).setConstant(std::max(skew, rounding));
  }

  static constexpr double rounding = 4 * std::numeric_limits<double>::epsilon();

  /// What a block was like before it was made orthonormal.
  struct Block {
    double departure;  ///< how far its Gram matrix was from the identity
    double shortest;   ///< at least the length of any combination of length 1; 0 where a row had vanished
    double least;      ///< the least eigenvalue of its Gram matrix, with rows of length 1
  };

  /// How far a block may be from orthogonal, to the basis and within itself, after the basis was subtracted once: the
  /// basis is itself not quite orthogonal, and what that leaves grows where little is left of the block (Simon 1984).
  double skew_left(const Block& block, const MatrixD& subtracted) const {
    if (subtracted.size() == 0 || block.shortest <= 0) return std::numeric_limits<double>::infinity();
    VectorD skews =
        skew_.head(size_).array() + rounding;  // of a vector to those before it, and so of those after it
    for (Index i = size_ - 2; i >= 0; --i) skews[i] = std::max(skews[i], skews[i + 1]);
    const double left = (skews.transpose() * subtracted.cwiseAbs()).maxCoeff();
    const double combined = std::sqrt(static_cast<double>(options_.block));  // columns, into one of length 1
    return left * combined / block.shortest + rounding / block.least;
  }

  /// Rows of length 1, then orthonormal but for rounding where they were not nearly dependent (Stathopoulos
  /// and Wu 2002).
  Block normalise(MatrixD& vectors) {
    MatrixD gram = rows_times(vectors, vectors);
    comm_.broadcast(numbers(gram));  // what is decided by it must be the same everywhere
    const double departure = (gram - MatrixD::Identity(gram.rows(), gram.cols())).cwiseAbs().maxCoeff();
    const bool replaced = replace_zeros(vectors, gram);
    if (replaced) gram = rows_times(vectors, vectors);
    const VectorD lengths = gram.diagonal().cwiseSqrt();
    gram = lengths.cwiseInverse().asDiagonal() * gram * lengths.cwiseInverse().asDiagonal();
    const EigenPairs pairs = eigh(gram, comm_);
    const double floor = pairs.values.maxCoeff() * std::numeric_limits<double>::epsilon();
    const VectorD inverse_roots = pairs.values.cwiseMax(floor).cwiseSqrt().cwiseInverse();
    const MatrixD turn = lengths.cwiseInverse().asDiagonal() * pairs.vectors * inverse_roots.asDiagonal() *
                         pairs.vectors.transpose();
    const MatrixD before = std::move(vectors);
    vectors.resize(before.rows(), before.cols());
    gemm(true, false, 1.0, turn, before, 0.0, vectors);
    const double least = std::max(floor, pairs.values.minCoeff());
    return {departure, replaced ? 0.0 : lengths.minCoeff() * std::sqrt(least), least};
  }

  bool replace_zeros(MatrixD& vectors, const MatrixD& gram) {
    bool replaced = false;
    for (Index i = 0; i < vectors.rows(); ++i) {
      if (gram(i, i) > std::numeric_limits<double>::min()) continue;
      for (Index j = 0; j < vectors.cols(); ++j) {
        vectors(i, j) = counter_normal(options_.seed, randoms_, mine_.begin + j);
      }
      ++randoms_;
      replaced = true;
    }
    return replaced;
  }

  void rayleigh_ritz() {
    EigenPairs pairs = eigh(projected_.topLeftCorner(size_, size_), comm_);
    values_ = pairs.values.reverse();
    turn_ = pairs.vectors.rowwise().reverse();
  }

  /// The basis' images leave it through the last block only.
  double largest_residual() const {
    const MatrixD last = turn_.block(size_ - options_.block, 0, options_.block, options_.count);
    const VectorD squares = (last.transpose() * remainder_).cwiseProduct(last.transpose()).rowwise().sum();
    const double largest = comm_.max(std::sqrt(std::max(0.0, squares.maxCoeff())));
    return values_[0] > 0 ? largest / values_[0] : 0.0;
  }

  /// basis := the first `kept` Ritz vectors, in slabs of columns so that only a slab is copied.
  void turn_basis(Index kept) {
    constexpr Index slab = 2048;
    const MatrixD turn = turn_.leftCols(kept);
    for (Index begin = 0; begin < basis_.cols(); begin += slab) {
      const Index width = std::min(slab, basis_.cols() - begin);
      const MatrixD before = basis_.block(0, begin, size_, width);
      gemm(true, false, 1.0, turn, before, 0.0, basis_.block(0, begin, kept, width));
    }
  }

  void restart() {
    const Index block = options_.block, count = options_.count;
    const auto beyond = static_cast<Index>(options_.kept * static_cast<double>(most_ - count));
    const Index kept = std::min(count + beyond, most_ - 2 * block);
    turn_basis(kept);
    basis_.middleRows(kept, block) = MatrixD(basis_.middleRows(size_, block));
    projected_.setZero();
    projected_.diagonal().head(kept) = values_.head(kept);
    skew_.setConstant(skew_.maxCoeff());
    size_ = kept;
  }

  LeadingPairs result(double residual, bool converged) {
    turn_basis(options_.count);
    LeadingPairs pairs;
    pairs.values = values_.head(options_.count).cwiseMax(0.0);
    pairs.vectors = gathered(basis_.topRows(options_.count), n_, mine_, comm_);
    pairs.residual = residual;
    pairs.products = products_;
    pairs.converged = converged;
    return pairs;
  }

  Index n_;
  Range mine_;
  const SymmetricProduct& product_;
  LeadingOptions options_;
  const Communicator& comm_;
  Index most_;
  MatrixD basis_;      // [most + block, mine]: `size_` vectors whose images are known, then the pending block
  MatrixD projected_;  // V S Vᵀ
  MatrixD remainder_;  // Gram matrix of the last block's images without their part in the basis
  VectorD skew_;       // [most + block] how far a vector may be from orthogonal to those before it
  Index size_ = 0, products_ = 0, randoms_ = 0;
  VectorD values_;
  MatrixD turn_;
};

LeadingPairs decompose(Index n, const SymmetricProduct& product, const LeadingOptions& options,
                       const Communicator& comm) {
  const Range mine = partition(n, comm.size(), comm.rank());
  MatrixD columns = agree(comm, [&] { return MatrixD(n, mine.size()); });
  for (Index begin = 0; begin < n; begin += options.block) {
    const Index size = std::min(options.block, n - begin);
    MatrixD vectors = MatrixD::Zero(size, n);
    vectors.diagonal(begin).setOnes();
    columns.middleRows(begin, size) = product(vectors);
  }
  MatrixD whole = gathered(columns, n, mine, comm);
  whole = 0.5 * (whole + MatrixD(whole.transpose()));
  const EigenPairs pairs = eigh(whole, comm);
  LeadingPairs leading;
  leading.values = pairs.values.tail(options.count).reverse().cwiseMax(0.0);
  leading.vectors = pairs.vectors.rightCols(options.count).rowwise().reverse().transpose();
  leading.products = n;
  return leading;
}

}  // namespace

Index krylov_basis(Index n, const LeadingOptions& options) {
  const Index block = options.block;
  // Room for the wanted pairs and three blocks at least, in whole blocks.
  const Index wanted = std::max(options.basis, options.count + 3 * block);
  const Index basis = (wanted + block - 1) / block * block;
  return basis + block > n ? n : basis;
}

LeadingPairs leading_eigenpairs(Index n, const SymmetricProduct& product, const LeadingOptions& options,
                                const Communicator& comm) {
  if (options.count < 1 || options.count > n || options.block < 1) {
    throw Error("internal: leading_eigenpairs asked for more pairs than there are, or none");
  }
  if (krylov_basis(n, options) == n) return decompose(n, product, options, comm);
  return BlockKrylov(n, product, options, comm).solve();
}

}  // namespace cinecortex::linalg
