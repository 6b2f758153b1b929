-- An Lmod module for an installed CineCortex: put it into the site's module path as cinecortex/<version>.lua and set the
-- prefix. The program remembers where the libraries are that it was linked with; what it cannot bring is mpirun.
help("CineCortex: from movies to predicted brain activity")
whatis("Name: cinecortex")

local prefix = "/path/to/the/installation"  -- of cmake --install

-- depends_on("openmpi/4.1")  -- the MPI that it was built with

prepend_path("PATH", pathJoin(prefix, "bin"))
