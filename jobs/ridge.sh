#!/usr/bin/env bash
# Submits the stage ridge: components to base models.
#   jobs/ridge.sh EXPERIMENT.toml [OPTION of cinecortex ...]
. "$(dirname -- "${BASH_SOURCE[0]}")/submit.sh"
submit ridge "$@"
