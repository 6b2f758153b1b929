"""slow_r50's features of some TRs beside pytorchvideo: the same weights, frames, batch, threads and precision.

    python -m venv venv && venv/bin/pip install -r benchmarks/peers/requirements.txt -r benchmarks/peers/requirements-networks.txt
    venv/bin/python benchmarks/peers/slow_r50.py --program build/release/bin/cinecortex

A network of the real size with random numbers is made. The peer is run as it is published, and once more with its tensors laid
out with channels innermost (channels_last_3d), which is the best that can be had by a setting; both in inference mode, from
uint8 frames to the output of blocks.5.pool, without the head behind. cinecortex's extractor is called by
build/release/benchmarks/slow_r50. Neither is timed for loading; the better of three calls each."""
import sys
import types

import numpy as np

from common import arguments, compare, fastest, header, run_kernel, run_peer, start, tell


def network():
    import torch

    # pytorchvideo 0.1.5 asks torchvision for a module that is gone, for parts that are not used here.
    sys.modules["torchvision.transforms.functional_tensor"] = types.ModuleType("functional_tensor")
    from pytorchvideo.models.resnet import create_resnet

    torch.manual_seed(50)
    return create_resnet(stem_conv_kernel_size=(1, 7, 7), head_pool_kernel_size=(8, 7, 7)).eval()


def make_weights(file):
    from safetensors.torch import save_file

    if not file.exists():
        save_file({name: tensor for name, tensor in network().state_dict().items() if "num_batches" not in name}, file)


def peer(weights, frames, trs, batch, kind, layout, result):
    """In a process of its own."""
    import torch
    from safetensors.torch import load_file

    net = network()
    net.load_state_dict(load_file(weights), strict=False)
    layout = {"as published": torch.contiguous_format, "channels last": torch.channels_last_3d}[layout]
    net.to(getattr(torch, kind), memory_format=layout)
    pool = net.blocks[5].pool
    net.blocks[5] = torch.nn.Identity()
    pixels = torch.from_numpy(np.fromfile(frames, np.uint8).reshape(int(trs), 8, 256, 256, 3))

    def features():
        rows = []
        for clips in pixels.split(int(batch)):
            values = (clips.permute(0, 4, 1, 2, 3).float() / 255 - 0.45) / 0.225
            last = net(values.to(getattr(torch, kind)).contiguous(memory_format=layout))
            rows.append(pool(last.float()).flatten(1))  # there is no pooling of bfloat16 on the CPU
        return torch.cat(rows).numpy()

    with torch.inference_mode():
        tell(*fastest(features), result)


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--trs", type=int, default=4)
    parser.add_argument("--batch", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--type", nargs="*", default=["float32", "bfloat16"])
    options = parser.parse_args()
    facts = header(options)
    options.folder.mkdir(parents=True, exist_ok=True)
    weights, frames, ours, theirs = (options.folder / name
                                     for name in ("slow_r50.safetensors", "frames.bin", "ours.bin", "theirs.bin"))
    make_weights(weights)
    np.random.default_rng(8).integers(0, 256, (options.trs, 8, 256, 256, 3), np.uint8).tofile(frames)
    for kind in options.type:
        for batch in options.batch:
            words = (weights, frames, options.trs, batch, kind)
            report = run_kernel(options, "slow_r50", *words, ours)
            for layout in ("as published", "channels last"):
                seconds, _, _ = run_peer(options, __file__, "peer", *words, layout, theirs)
                compare(options, facts, f"slow_r50, {options.trs} TRs, batch {batch}, {kind}", f"pytorchvideo, {layout}", seconds,
                        report["seconds"], ours, theirs)
    for file in (frames, ours, theirs):
        file.unlink()


if __name__ == "__main__":
    start(main, peer)
