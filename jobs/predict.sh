#!/usr/bin/env bash
# Submits the stage predict: predictions of the test runs, and submission files.
#   jobs/predict.sh EXPERIMENT.toml [OPTION of cinecortex ...]
. "$(dirname -- "${BASH_SOURCE[0]}")/submit.sh"
submit predict "$@"
