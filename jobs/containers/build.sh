#!/bin/sh
# Builds CineCortex in a container of Debian and installs it into /opt/cinecortex, with the bootstrap that everybody uses
# (./run build). Dockerfile and cinecortex.def call it in their first stage.
#   build.sh [cpu|cuda]     cuda: with a complete libtorch, in /opt/torch
set -eu
cd "$(dirname "$0")/../.."
torch=${1:-cpu}
mkdir -p /opt/torch

apt-get update
apt-get install -y --no-install-recommends ca-certificates
case $torch in
  cpu) ;;
  cuda)
    apt-get install -y --no-install-recommends python3 python3-pip
    version=$(sed -n 's/^readonly torch_version=//p' run)
    python3 -m pip install --no-compile --target /opt/torch "torch==$version"
    export LibTorch_ROOT=/opt/torch/torch ;;
  *)
    echo "build.sh: torch is \"$torch\"; allowed: cpu, cuda" >&2
    exit 2 ;;
esac

./run build
test -x build/release/bin/cinecortex
cmake --install build/release --prefix /opt/cinecortex

# What the second stage has to install: the packages that own what the program loads, and what mpirun needs.
{
  ldd /opt/cinecortex/bin/cinecortex | awk '$3 ~ "^/(usr/)?lib" { print $3 }' | xargs -n 1 realpath |
    sed 's|^/usr||; s|^|*|' | xargs -n 1 dpkg-query -S | cut -d: -f1
  echo openmpi-bin
  echo libgomp1
} | sort -u >/opt/cinecortex/share/cinecortex/packages
cat /opt/cinecortex/share/cinecortex/packages
