#!/usr/bin/env python3
"""Turns pytorchvideo's checkpoint of slow_r50 into a safetensors file that cinecortex reads.

    pip install torch safetensors
    curl -LO https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics/SLOW_8x8_R50.pyth
    python tools/convert_slow_r50.py SLOW_8x8_R50.pyth slow_r50.safetensors

Names and numbers stay as they are. A state_dict alone is taken as well, and so are weights that were trained further
inside of another module (`--prefix model.`). The counters of the batch norms are left out."""
import argparse
import sys

import torch
from safetensors.torch import save_file

NEEDED = ("blocks.0.conv.weight", "blocks.4.res_blocks.0.branch2.conv_a.weight", "blocks.5.proj.weight")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", help="SLOW_8x8_R50.pyth")
    parser.add_argument("output", help="slow_r50.safetensors")
    parser.add_argument("--prefix", default="", help="in front of every name in the checkpoint")
    options = parser.parse_args()
    state = torch.load(options.checkpoint, map_location="cpu", weights_only=True)
    state = state.get("model_state", state)
    tensors = {name.removeprefix(options.prefix): tensor.contiguous() for name, tensor in state.items()
               if name.startswith(options.prefix) and not name.endswith("num_batches_tracked")}
    missing = [name for name in NEEDED if name not in tensors]
    if missing:
        sys.exit(f"{options.checkpoint}: no tensor {options.prefix}{missing[0]}; it has "
                 f"{', '.join(list(state)[:3])} …: not slow_r50, or another --prefix")
    save_file(tensors, options.output, metadata={"format": "pt"})
    print(f"{options.output}: {len(tensors)} tensors, {sum(t.numel() for t in tensors.values())} numbers")


if __name__ == "__main__":
    main()
