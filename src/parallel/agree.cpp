#include "cinecortex/parallel/agree.hpp"

namespace cinecortex::parallel {
namespace {

enum class Kind : std::int64_t { none, stage, input, interrupted };

struct Failure {
  Kind kind = Kind::none;
  std::string what;
  std::int64_t rank = -1, count = 0;  ///< of a failure that was agreed on before; -1: not yet
};

Failure describe(const std::exception_ptr& failure) {
  if (!failure) return {};
  try {
    std::rethrow_exception(failure);
  } catch (const CommunicationError&) {
    throw;  // MPI itself is broken: there is nobody to agree with
  } catch (const InputError& e) {
    return {Kind::input, e.what()};
  } catch (const Interrupted& e) {
    return {Kind::interrupted, e.what()};
  } catch (const StageError& e) {
    return {Kind::stage, e.what(), e.rank(), e.count()};
  } catch (const std::bad_alloc&) {
    return {Kind::stage, "out of memory"};
  } catch (const std::exception& e) {
    return {Kind::stage, e.what()};
  }
}

}  // namespace

void agree_on_failure(const Communicator& comm, std::exception_ptr failure) {
  Failure mine = describe(failure);
  const std::int64_t count = comm.sum(std::int64_t{mine.kind != Kind::none});
  if (count == 0) return;
  // An input error says more than the stops and follow-up failures it causes elsewhere.
  const auto severity = [](Kind kind) -> std::int64_t {
    switch (kind) {
      case Kind::input:
        return 3;
      case Kind::stage:
        return 2;
      case Kind::interrupted:
        return 1;
      case Kind::none:
        break;
    }
    return 0;
  };
  const std::int64_t worst = comm.max(severity(mine.kind));
  const std::int64_t source =
      comm.min(std::int64_t{severity(mine.kind) == worst ? comm.rank() : comm.size()});
  const int root = static_cast<int>(source);
  std::int64_t numbers[] = {static_cast<std::int64_t>(mine.kind), mine.rank, mine.count};
  comm.broadcast(std::span<std::int64_t>(numbers), root);
  comm.broadcast(mine.what, root);
  const auto [kind, agreed_rank, agreed_count] = numbers;
  switch (static_cast<Kind>(kind)) {
    case Kind::input:
      throw InputError(mine.what);
    case Kind::interrupted:
      throw Interrupted(mine.what);
    default:
      break;
  }
  if (agreed_rank >= 0)
    throw StageError(static_cast<int>(agreed_rank), static_cast<int>(agreed_count), mine.what);
  throw StageError(root, static_cast<int>(count), mine.what);
}

}  // namespace cinecortex::parallel
