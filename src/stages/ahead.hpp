#pragma once
#include <functional>
#include <future>
#include <optional>
#include <utility>

#include "cinecortex/core/types.hpp"

namespace cinecortex::stages {

/// Makes the next of a row of values on a thread of its own while the caller works with the one before. One value is made at a
/// time and one at most is kept. Whoever leaves early waits for the thread; an error is thrown where the value is
/// taken.   Not thread-safe.   Collective: no, none of it.
template <class T>
class Ahead {
 public:
  using Make = std::function<T(Index key)>;

  /// @param make  is called by one thread at a time, which need not be the caller's
  explicit Ahead(Make make) : make_(std::move(make)) {}

  /// The value that is wanted after the next one taken: it is begun then.
  void announce(Index key) { following_ = key; }

  /// The value of `key`: the one that was begun, else it is made now.   @throws what `make` throws for it.
  T take(Index key) {
    const auto following = std::exchange(following_, std::nullopt);
    T value = begun(key) ? value_.get() : make_(key);
    if (following && *following != key) {
      key_ = *following;
      value_ = std::async(std::launch::async, make_, key_);
    }
    return value;
  }

 private:
  /// Whether this value is being made; waits for the end of any other.
  bool begun(Index key) {
    if (!value_.valid()) return false;
    if (key == key_) return true;
    value_ = {};
    return false;
  }

  Make make_;
  std::optional<Index> following_;
  Index key_ = 0;
  std::future<T> value_;
};

}  // namespace cinecortex::stages
