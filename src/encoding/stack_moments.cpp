#include "stack_moments.hpp"

#include "columns.hpp"

namespace cinecortex::encoding {

Moments::Moments(Index variables) : mean(VectorD::Zero(variables)), co(MatrixD::Zero(variables, variables)) {}

void Moments::merge(const Moments& other) {
  if (other.rows == 0) return;
  const double share = other.rows / (rows + other.rows);
  const VectorD step = other.mean - mean;
  co += other.co;
  co.noalias() += rows * share * step * step.transpose();
  mean += share * step;
  rows += other.rows;
}

MatrixD Moments::second() const {
  return co / rows + mean * mean.transpose();
}

BlockMoments::BlockMoments(Index blocks, Index targets, Index variables)
    : blocks_(blocks),
      targets_(targets),
      variables_(variables),
      rows_(VectorD::Zero(blocks)),
      packed_(MatrixD::Zero(blocks * targets, variables + variables * (variables + 1) / 2)) {}

void BlockMoments::add(Index block, std::vector<MatrixD>& variables) {
  const Index rows = variables.front().rows();
  if (rows == 0) return;
  rows_[block] = static_cast<double>(rows);
  auto out = packed_.middleRows(block * targets_, targets_);
  Index column = 0;
  for (auto& values : variables) {
    const VectorD mean = column_means(values);
    out.col(column++) = mean;
    values.rowwise() -= mean.transpose();
  }
  for (Index i = 0; i < variables_; ++i) {
    for (Index j = i; j < variables_; ++j) {
      const auto& a = variables[static_cast<std::size_t>(i)];
      const auto& b = variables[static_cast<std::size_t>(j)];
      out.col(column++) = a.cwiseProduct(b).colwise().sum().transpose();
    }
  }
}

Moments BlockMoments::of(Index block, Index target) const {
  const auto in = packed_.row(block * targets_ + target);
  Moments moments(variables_);
  moments.rows = rows_[block];
  moments.mean = in.head(variables_).transpose();
  Index column = variables_;
  for (Index i = 0; i < variables_; ++i) {
    for (Index j = i; j < variables_; ++j) moments.co(i, j) = moments.co(j, i) = in[column++];
  }
  return moments;
}

Moments BlockMoments::total(Index target) const {
  Moments all(variables_);
  for (Index block = 0; block < blocks_; ++block) all.merge(of(block, target));
  return all;
}

std::vector<Moments> BlockMoments::without_each(Index target) const {
  std::vector<Moments> result;
  Moments before(variables_);
  for (Index block = 0; block < blocks_; ++block) {
    result.push_back(before);
    before.merge(of(block, target));
  }
  Moments after(variables_);
  for (Index block = blocks_; block-- > 0;) {
    result[static_cast<std::size_t>(block)].merge(after);
    after.merge(of(block, target));
  }
  return result;
}

}  // namespace cinecortex::encoding
