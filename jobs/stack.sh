#!/usr/bin/env bash
# Submits the stage stack: base predictions to weights.
#   jobs/stack.sh EXPERIMENT.toml [OPTION of cinecortex ...]
. "$(dirname -- "${BASH_SOURCE[0]}")/submit.sh"
submit stack "$@"
