#pragma once
#include <stdexcept>
#include <string>
#include <utility>

namespace cinecortex {

/// Base of everything this project throws on purpose.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The user's input is wrong: an experiment, a file, an option. The message names what, where, the
/// value and what is allowed. The program exits 2.
class InputError : public Error {
 public:
  using Error::Error;
};

/// A computation cannot give a meaningful answer (a decomposition that did not converge). Exit 3.
class NumericalError : public Error {
 public:
  using Error::Error;
};

/// A stage failed on at least one rank. Exit 3.
class StageError : public Error {
 public:
  StageError(int rank, int count, const std::string& what) : Error(what), rank_(rank), count_(count) {}
  int rank() const noexcept { return rank_; }    ///< the lowest rank that failed
  int count() const noexcept { return count_; }  ///< how many ranks failed

 private:
  int rank_;
  int count_;
};

/// A signal asked for a stop at a safe point; the same command resumes. Exit 4.
class Interrupted : public Error {
 public:
  using Error::Error;
};

/// The closest of `candidates` to `word` by edit distance, or "" where none is close.
/// Used for "did you mean". Collective: no.
template <class Range>
std::string closest_name(const std::string& word, const Range& candidates);

std::size_t edit_distance(const std::string& a, const std::string& b);

template <class Range>
std::string closest_name(const std::string& word, const Range& candidates) {
  std::string best;
  std::size_t best_distance = word.size() / 3 + 2;
  for (const auto& candidate : candidates) {
    const std::string name(candidate);
    if (const auto distance = edit_distance(word, name); distance < best_distance) {
      best_distance = distance;
      best = name;
    }
  }
  return best;
}

}  // namespace cinecortex
