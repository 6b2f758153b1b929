#include "cinecortex/parallel/agree.hpp"

namespace cinecortex::parallel {
namespace {

enum class Kind : std::int64_t { none, stage, input, interrupted };

std::pair<Kind, std::string> describe(const std::exception_ptr& failure) {
  if (!failure) return {Kind::none, ""};
  try {
    std::rethrow_exception(failure);
  } catch (const CommunicationError&) {
    throw;  // MPI itself is broken: there is nobody to agree with
  } catch (const InputError& e) {
    return {Kind::input, e.what()};
  } catch (const Interrupted& e) {
    return {Kind::interrupted, e.what()};
  } catch (const std::bad_alloc&) {
    return {Kind::stage, "out of memory"};
  } catch (const std::exception& e) {
    return {Kind::stage, e.what()};
  }
}

}  // namespace

void agree_on_failure(const Communicator& comm, std::exception_ptr failure) {
  auto [kind, what] = describe(failure);
  const bool failed = kind != Kind::none;
  const std::int64_t count = comm.sum(std::int64_t{failed});
  if (count == 0) return;
  // An input error says more than the stops and follow-up failures it causes elsewhere.
  const auto severity = [](Kind k) -> std::int64_t {
    switch (k) {
      case Kind::input: return 3;
      case Kind::stage: return 2;
      case Kind::interrupted: return 1;
      case Kind::none: break;
    }
    return 0;
  };
  const std::int64_t worst = comm.max(severity(kind));
  const std::int64_t source = comm.min(std::int64_t{severity(kind) == worst ? comm.rank() : comm.size()});
  std::int64_t shared_kind = static_cast<std::int64_t>(kind);
  comm.broadcast(std::span(&shared_kind, 1), static_cast<int>(source));
  comm.broadcast(what, static_cast<int>(source));
  switch (static_cast<Kind>(shared_kind)) {
    case Kind::input: throw InputError(what);
    case Kind::interrupted: throw Interrupted(what);
    default: throw StageError(static_cast<int>(source), static_cast<int>(count), what);
  }
}

}  // namespace cinecortex::parallel
