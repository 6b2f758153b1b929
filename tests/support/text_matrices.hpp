#pragma once
#include <cstdlib>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "cinecortex/core/types.hpp"

/// Named matrices from a fixture in text: a line `name rows columns`, then the numbers.
/// @param file  below the tests folder, e.g. "parity/ridge/stack.txt"
inline std::map<std::string, cinecortex::MatrixD> read_text_matrices(const std::string& file) {
  const char* folder = std::getenv("CINECORTEX_TEST_DATA");
  if (folder == nullptr) throw std::runtime_error("CINECORTEX_TEST_DATA is not set");
  std::ifstream in(std::string(folder) + "/" + file);
  std::map<std::string, cinecortex::MatrixD> matrices;
  std::string name;
  cinecortex::Index rows = 0, columns = 0;
  while (in >> name >> rows >> columns) {
    cinecortex::MatrixD values(rows, columns);
    for (cinecortex::Index i = 0; i < values.size(); ++i) in >> values.data()[i];
    if (!in) throw std::runtime_error(file + ": matrix " + name + " is cut short");
    matrices.emplace(name, std::move(values));
  }
  if (matrices.empty()) throw std::runtime_error(file + ": no matrices");
  return matrices;
}

/// The one row of a fixture's matrix as whole numbers.
inline std::vector<cinecortex::Index> as_indices(const cinecortex::MatrixD& values) {
  std::vector<cinecortex::Index> indices;
  for (const double v : values.reshaped<Eigen::RowMajor>())
    indices.push_back(static_cast<cinecortex::Index>(v));
  return indices;
}
