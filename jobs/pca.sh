#!/usr/bin/env bash
# Submits the stage pca: features to components.
#   jobs/pca.sh EXPERIMENT.toml [OPTION of cinecortex ...]
. "$(dirname -- "${BASH_SOURCE[0]}")/submit.sh"
submit pca "$@"
