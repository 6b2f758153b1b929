#!/usr/bin/env bash
# Submits the stage extract: movies, sound and words to features.
#   jobs/extract.sh EXPERIMENT.toml [OPTION of cinecortex ...]
. "$(dirname -- "${BASH_SOURCE[0]}")/submit.sh"
submit extract "$@"
