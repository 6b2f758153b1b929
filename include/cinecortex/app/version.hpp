#pragma once
#include <string>

namespace cinecortex::app {

std::string version();  ///< 0.1.0
std::string
commit();  ///< of git when the program was built, "-dirty" behind it if files had changed; or "unknown"

/// For --version: the program, and the libraries that it runs with.
/// @pre MPI is initialised.   Collective: no.
std::string version_report();

/// The same as a JSON object, for the manifest.
std::string version_json();

}  // namespace cinecortex::app
