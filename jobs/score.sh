#!/usr/bin/env bash
# Submits the stage score: tables of correlations.
#   jobs/score.sh EXPERIMENT.toml [OPTION of cinecortex ...]
. "$(dirname -- "${BASH_SOURCE[0]}")/submit.sh"
submit score "$@"
