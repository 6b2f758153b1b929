"""Makes the fixtures of slow_r50: a small network with random weights, a LoRA adapter for it, and what the reference
makes of clips that the test can make too, and of the film clip in Debian's opencv-doc.

    pip install torch==2.11.0 pytorchvideo==0.1.5 peft safetensors av torchvision
    python tests/parity/slow_r50/make_slow_r50.py

pytorchvideo 0.1.5 wants torchvision.transforms.functional_tensor, which is gone; its parts that are used here do not."""
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import av
import numpy as np
import torch
import torchvision.transforms.functional
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file

sys.modules["torchvision.transforms.functional_tensor"] = types.ModuleType("functional_tensor")
sys.modules["torchvision.transforms.functional_tensor"].rgb_to_grayscale = None
import pytorchvideo.models.resnet as resnet  # noqa: E402
from pytorchvideo.transforms.functional import short_side_scale, uniform_temporal_subsample  # noqa: E402

FOLDER = Path(__file__).parent
FILM = "/usr/share/doc/opencv-doc/examples/data/vtest.avi"
TR_S, ROWS = 1.49, 4
WIDTH, CLASSES, DEPTHS = 3, 10, (1, 2, 2, 2)
ADAPTED = [f"blocks.4.res_blocks.{i}.branch2.conv_{c}" for i in (0, 1) for c in "bc"] + [
    f"blocks.3.res_blocks.{i}.branch2.conv_c" for i in (0, 1)]
GRADIENTS = ["blocks.0.conv.weight", "blocks.0.norm.weight", "blocks.2.res_blocks.0.branch1_norm.bias",
             "blocks.3.res_blocks.0.branch2.conv_a.weight", "blocks.4.res_blocks.1.branch2.conv_c.weight"]


def network():
    resnet._MODEL_STAGE_DEPTH[50] = DEPTHS
    net = resnet.create_resnet(stem_dim_out=WIDTH, model_num_class=CLASSES, stem_conv_kernel_size=(1, 7, 7),
                               head_pool_kernel_size=(8, 7, 7)).eval()
    generator = torch.Generator().manual_seed(50)
    for name, tensor in net.state_dict().items():
        draw = torch.randn(tensor.shape, generator=generator)
        if name.endswith("running_var"):
            tensor.copy_(0.5 + draw.abs())
        elif "norm" in name and name.endswith("weight"):
            tensor.copy_(1 + 0.2 * draw)
        elif name.endswith("running_mean") or name.endswith("bias"):
            tensor.copy_(0.2 * draw)
        elif tensor.dim() > 1:
            tensor.copy_(draw * (2 / tensor[0].numel()) ** 0.5)
        if tensor.is_floating_point():
            tensor.copy_(tensor.half())  # as the file has it
    return net


def clips():
    """[2, 3, 8, 256, 256], whole numbers that repeat nowhere soon: the test computes the same."""
    b, c, t, y, x = np.meshgrid(*(np.arange(n) for n in (2, 3, 8, 256, 256)), indexing="ij")
    values = (7 * x + 13 * y + 29 * t + 53 * c + 101 * b + 5 * ((x * y) % 17) + 3 * ((x * t + y * b) % 31)) % 256
    return normalized(torch.from_numpy(values).float())


def normalized(pixels):
    return (pixels / 255 - 0.45) / 0.225


def pooled_and_logits(net, x):
    kept = {}
    hook = net.blocks[5].pool.register_forward_hook(lambda module, inputs, output: kept.update(pooled=output))
    logits = net(x)
    hook.remove()
    return kept["pooled"], logits


def pictures(film):
    """(time, RGB picture) of each frame, decoded by PyAV. Its to_ndarray() has colours from libswscale's fast path, which are a
    grey level too dark on average: asked for by name, libswscale's accurate ones are the same on every machine."""
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        graph = av.filter.Graph()
        graph.link_nodes(graph.add_buffer(template=stream),
                         graph.add("scale", "iw:ih:flags=bicubic+accurate_rnd+full_chroma_int+bitexact"),
                         graph.add("format", "rgb24"), graph.add("buffersink")).configure()
        for frame in container.decode(stream):
            graph.push(frame)
            yield float(frame.pts * stream.time_base), graph.pull().to_ndarray()


def film_rows(net):
    """The reference's pipeline on a film: frames that begin in a TR, through pytorchvideo's transforms."""
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.mkv"
        subprocess.run(["ffmpeg", "-v", "error", "-fflags", "+genpts", "-i", FILM, "-c", "copy", "-map", "0:v:0", "-t", "6", film], check=True)
        frames = list(pictures(film))
    start = frames[0][0]
    rows = []
    for row in range(ROWS):
        begin, end = row * TR_S, (row + 1) * TR_S
        clip = np.stack([picture for time, picture in frames if begin <= time - start < end])
        clip = uniform_temporal_subsample(torch.from_numpy(clip).permute(3, 0, 1, 2), 8, temporal_dim=1)
        clip = short_side_scale(clip.float() / 255, 256)
        clip = (torchvision.transforms.functional.center_crop(clip, [256, 256]) - 0.45) / 0.225
        rows.append(pooled_and_logits(net, clip[None])[0].flatten())
    return torch.stack(rows)


def adapted(net):
    model = get_peft_model(net, LoraConfig(r=2, lora_alpha=4, lora_dropout=0.1, bias="none", target_modules=ADAPTED))
    generator = torch.Generator().manual_seed(8)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data.copy_((0.3 * torch.randn(parameter.shape, generator=generator)).half())
    return model.eval()


def main():
    torch.manual_seed(1)
    net, x, expected = network(), clips(), {}
    save_file({name: tensor.half().contiguous() for name, tensor in net.state_dict().items() if "num_batches" not in name},
              FOLDER / "model.safetensors", metadata={"format": "pt"})
    pooled, expected["logits"] = pooled_and_logits(net, x)
    expected["pooled"] = pooled
    pattern = torch.cos(torch.arange(pooled.numel(), dtype=torch.float32)).view_as(pooled)
    (pooled * pattern).sum().backward()
    parameters = dict(net.named_parameters())
    expected |= {f"gradient {name}": parameters[name].grad for name in GRADIENTS}
    with torch.inference_mode():
        expected["film"] = film_rows(net)
        model = adapted(net)
        expected["adapted"], _ = pooled_and_logits(model.base_model.model, x)
    model.save_pretrained(FOLDER / "adapter")
    (FOLDER / "adapter/README.md").unlink(missing_ok=True)
    save_file({name: tensor.detach().contiguous() for name, tensor in expected.items()}, FOLDER / "reference.safetensors")
    for name, tensor in expected.items():
        print(name, tuple(tensor.shape), f"{tensor.abs().max():.4g}")


if __name__ == "__main__":
    main()
