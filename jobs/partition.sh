#!/usr/bin/env bash
# Submits the stage partition: unique and shared parts of the explained variance.
#   jobs/partition.sh EXPERIMENT.toml [OPTION of cinecortex ...]
. "$(dirname -- "${BASH_SOURCE[0]}")/submit.sh"
submit partition "$@"
