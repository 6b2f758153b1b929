#!/bin/sh
# The second stage: installs what the program in /opt/cinecortex needs, and runs it once.
set -eu
apt-get update
# shellcheck disable=SC2046  # a word a package
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(cat /opt/cinecortex/share/cinecortex/packages)
rm -rf /var/lib/apt/lists/*
/opt/cinecortex/bin/cinecortex --version
