#pragma once
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::parallel {

/// If `failure` is set on any rank, every rank throws the gravest one, of equals the lowest rank's. InputError goes
/// before StageError{rank, count, what}, which anything else becomes, and that before Interrupted.
/// Collective: over comm.
void agree_on_failure(const Communicator& comm, std::exception_ptr failure);

/// Runs `fn` on every rank; returns its result, or throws the same error on every rank if it threw on any.
/// @pre `fn` makes no collective call.   Collective: over comm.
template <class Fn>
auto agree(const Communicator& comm, Fn&& fn) -> std::invoke_result_t<Fn> {
  std::exception_ptr failure;
  if constexpr (std::is_void_v<std::invoke_result_t<Fn>>) {
    try {
      std::forward<Fn>(fn)();
    } catch (...) {
      failure = std::current_exception();
    }
    agree_on_failure(comm, failure);
  } else {
    std::optional<std::invoke_result_t<Fn>> result;
    try {
      result.emplace(std::forward<Fn>(fn)());
    } catch (...) {
      failure = std::current_exception();
    }
    agree_on_failure(comm, failure);
    return std::move(*result);
  }
}

}  // namespace cinecortex::parallel
