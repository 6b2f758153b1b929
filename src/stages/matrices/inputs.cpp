#include "inputs.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "cinecortex/core/interrupt.hpp"
#include "context.hpp"
#include "outputs.hpp"

namespace cinecortex::stages::matrices {
namespace {

/// The file behind a matrix on the command line: file.h5 of file.h5:/path.
std::filesystem::path file_of(const std::string& where) {
  const std::size_t cut = where.rfind(":/");
  return cut != std::string::npos && cut > 0 ? where.substr(0, cut) : where;
}

/// The feature rows [0, length) that the design rows `rows` are made of, and at least one whole window.
Range feature_rows(const encoding::Design& design, Range rows, Index length) {
  const Index oldest = design.delays().front();
  const Index newest = design.delays().back();
  const Index span = std::min(oldest - newest + 1, length);
  return {std::clamp<Index>(rows.begin - oldest, 0, length - span),
          std::clamp<Index>(rows.end - newest, span, length)};
}

void require_equal(Index a_count, Index b_count, const char* what, const io::MatrixFile& a,
                   const io::MatrixFile& b) {
  if (a_count == b_count) return;
  throw InputError(fmt::format("{} has {} {}, but {} has {}; they must be equal", a.where(), a_count, what,
                               b.where(), b_count));
}

}  // namespace

std::vector<encoding::RunExtent> extents(const std::vector<Piece>& runs) {
  std::vector<encoding::RunExtent> all;
  for (const auto& piece : runs) all.push_back({.feature_rows = piece.run.size(), .wanted = piece.rows});
  return all;
}

std::vector<Piece> read_runs(const std::string& groups, const io::MatrixFile& where) {
  const Range all{0, where.rows()};
  if (groups.empty()) return {{"all", all, all}};
  const io::MatrixFile file(groups);
  if (file.columns() != 1) {
    throw InputError(fmt::format("{} has {} columns; groups are one label a row", groups, file.columns()));
  }
  require_equal(file.rows(), where.rows(), "rows", file, where);
  const MatrixD labels = file.read(all, {0, 1});
  std::vector<Piece> runs;
  std::map<double, Index> ends;
  for (Index row = 0; row < all.end;) {
    const double label = labels(row, 0);
    if (const auto before = ends.find(label); before != ends.end()) {
      throw InputError(
          fmt::format("{}: label {} ends at row {} and comes again at row {} (counted from 0); the rows of "
                      "a run must be neighbours",
                      groups, label, before->second - 1, row));
    }
    Index end = row;
    while (end < all.end && labels(end, 0) == label) ++end;
    runs.push_back({fmt::format("{}", label), {row, end}, {0, end - row}});
    ends[label] = end;
    row = end;
  }
  return runs;
}

std::vector<Piece> cut(const std::vector<Piece>& pieces, Index most) {
  std::vector<Piece> parts;
  for (const auto& piece : pieces) {
    for (Index begin = piece.rows.begin; begin < piece.rows.end; begin += most) {
      parts.push_back({piece.name, piece.run, {begin, std::min(begin + most, piece.rows.end)}});
    }
  }
  return parts;
}

std::vector<Piece> usable(const std::vector<Piece>& runs, const encoding::Design& design) {
  std::vector<Piece> kept;
  for (const auto& run : runs) {
    // Rows drop off at a run's ends only, so what is left is one stretch.
    const auto times = design.rows(run.run.size(), run.rows);
    if (!times.empty()) kept.push_back({run.name, run.run, {times.front(), times.back() + 1}});
  }
  return kept;
}

Index rows_per_piece(Index columns) {
  constexpr Index bytes = Index{128} << 20;
  return std::clamp<Index>(bytes / (8 * std::max<Index>(columns, 1)), 256, 2048);
}

MatrixSource::MatrixSource(const std::string& where, std::vector<Piece> pieces,
                           std::optional<encoding::Design> design)
    : file_(where), pieces_(std::move(pieces)), design_(std::move(design)) {}

Index MatrixSource::columns() const {
  return design_ ? design_->columns(file_.columns()) : file_.columns();
}

template <class Scalar>
Matrix<Scalar> MatrixSource::read_piece(const Piece& part, Range columns) const {
  interrupt::check();
  if (!design_) return file_.read<Scalar>(part.file_rows(), columns);
  const Range rows = feature_rows(*design_, part.rows, part.run.size());
  const Matrix<Scalar> features =
      file_.read<Scalar>({part.run.begin + rows.begin, part.run.begin + rows.end}, {0, file_.columns()});
  std::vector<Index> times;
  for (Index time = part.rows.begin; time < part.rows.end; ++time) times.push_back(time - rows.begin);
  Matrix<Scalar> design = design_->rows_at(features, times, 0);
  if (columns == Range{0, design.cols()}) return design;
  return design.middleCols(columns.begin, columns.size());
}

Piece MatrixSource::part_of(Index block, Range rows) const {
  Piece part = piece(block);
  part.rows = {part.rows.begin + rows.begin, part.rows.begin + rows.end};
  return part;
}

MatrixD MatrixSource::read(Index block, Range columns) const {
  return read_piece<double>(piece(block), columns);
}

MatrixF MatrixSource::read_single(Index block, Range columns) const {
  return read_piece<float>(piece(block), columns);
}

MatrixD MatrixSource::read_rows(Index block, Range rows, Range columns) const {
  return read_piece<double>(part_of(block, rows), columns);
}

MatrixF MatrixSource::read_rows_single(Index block, Range rows, Range columns) const {
  return read_piece<float>(part_of(block, rows), columns);
}

void require_same_rows(const io::MatrixFile& a, const io::MatrixFile& b) {
  require_equal(a.rows(), b.rows(), "rows", a, b);
}

void require_same_shape(const io::MatrixFile& a, const io::MatrixFile& b) {
  require_same_rows(a, b);
  require_equal(a.columns(), b.columns(), "columns", a, b);
}

void check_output(const std::filesystem::path& output, const std::vector<std::string>& endings,
                  const std::vector<std::string>& inputs) {
  namespace fs = std::filesystem;
  const auto name = output.string();
  if (std::find(endings.begin(), endings.end(), output.extension().string()) == endings.end()) {
    throw InputError(fmt::format("--output {}: the name must end in {}", name, fmt::join(endings, " or ")));
  }
  std::error_code error;  // what cannot be looked at is refused below
  if (fs::is_directory(output, error)) throw InputError(fmt::format("--output {}: this is a folder", name));
  for (const auto& input : inputs) {
    if (fs::equivalent(output, file_of(input), error)) {
      throw InputError(fmt::format("--output {}: this is one of the inputs, which it would replace", name));
    }
  }
  fs::path folder = fs::absolute(output).parent_path();
  while (!fs::exists(folder, error) && folder.has_relative_path()) folder = folder.parent_path();
  if (!fs::is_directory(folder, error)) {
    throw InputError(fmt::format("--output {}: {} is not a folder", name, folder.string()));
  }
  if (access(folder.c_str(), W_OK | X_OK) != 0) {
    throw InputError(fmt::format("--output {}: the folder {} cannot be written", name, folder.string()));
  }
}

std::string job_digest(const std::string& verb, const std::vector<std::string>& inputs,
                       const std::function<void(Digest&)>& add_settings, const parallel::Communicator& comm) {
  return from_root(comm, [&] {
    Digest digest;
    digest.add("matrices-1").add(verb);
    for (const auto& input : inputs) {
      const auto file = file_of(input);
      digest.add(file == input ? "" : input.substr(file.string().size()));  // the data set inside the file
      digest.add(input.empty() ? "" : file_digest(file));
    }
    add_settings(digest);
    return digest.hex();
  });
}

std::optional<Summary> nothing_to_do(const std::string& verb, const std::filesystem::path& output,
                                     const std::string& digest, const Handling& handling,
                                     const std::string& plan, const parallel::Communicator& comm) {
  Summary summary{.stage = verb};
  if (handling.dry_run) {
    summary.text = fmt::format("{}\nDry run: nothing was written.\n", plan);
    return summary;
  }
  if (handling.force || digest.empty() || !is_current(output, digest, comm)) return std::nullopt;
  summary.kept = 1;
  summary.outputs = {output};
  summary.text =
      fmt::format("{} is there already, made from the same inputs and settings (--force makes it again)\n",
                  output.string());
  return summary;
}

}  // namespace cinecortex::stages::matrices
