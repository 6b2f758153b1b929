#!/usr/bin/env python3
"""Writes the reference of tests/unit/models_internvl.cpp: two small networks with random weights, as transformers makes,
saves and runs them (pip install torch==2.11.0 transformers==5.24.0 peft==0.21.2 av==18.1.0 "pillow<12").

layernorm/    InternViT-300M's kind of encoder: layer norms, biases. As transformers saves it, in two shards
original/     the same weights under OpenGVLab's names, queries, keys and values in one tensor, in bfloat16
rmsnorm/      InternViT-6B's kind: RMS norms of blocks, queries and keys. transformers' names inside of "model."
rmsnorm-original/
adapter/      a LoRA adapter for layernorm/, as peft saves it; adapter-original/ the same for original/
transcript.tsv, expected.safetensors   words of the film clip; what transformers makes of pictures, ids, clip and words

    make_internvl.py [Megamind.avi of Debian's opencv-doc]

The prompts are written here as the authors of arXiv 2510.06235 write them, and tokenised whole."""
import csv
import json
import math
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import av
import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import InternVLConfig, InternVLForConditionalGeneration, InternVLVisionConfig, Qwen2Config

HERE = pathlib.Path(__file__).resolve().parent
CLIP = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/doc/opencv-doc/examples/data/Megamind.avi")
TR_S, FRAMES, TOKENS, LAYERS, SIDE, IMAGE_TOKENS = 1.49, 8, 10, [2, 1, 0], 28, 4
SPECIAL = ["<|endoftext|>", "<img>", "</img>", "<IMG_CONTEXT>"]
QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
         r"|\s+(?!\S)|\s+")
# Silent TRs alone and in runs, words across TRs, dots that are text, text that begins with a pause, letters of 2 to 4 bytes.
ROWS = ["", "", "Hello there, ", "Megamind! ", "", "...what is the, the caf\u00e9 ", "we've met... ", "", "", "",
        "and then \U0001f600 you "]


def build_tokenizer():
    corpus = ["Frame1: \nFrame2: \nFrame3: hello there what is the the\n\n\n", "\n\n", "\n\n\n", "we've met, Megamind!\n",
              "and then you", "Frame4: Frame5: Frame6:"] * 4
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(QWEN2), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
                                  show_progress=False)
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in SPECIAL])
    return tokenizer


def randomise(network, seed):
    """Values that bfloat16 holds exactly, large enough that a swapped layer or axis shows."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in network.named_parameters():
        values = torch.randn(parameter.shape, generator=generator)
        if name.endswith("bias"):
            values *= 0.2
        elif parameter.ndim == 1:
            values = 1 + 0.3 * values
        elif parameter.ndim == 2 and "embed" not in name:
            values *= 1.5 / math.sqrt(parameter.shape[1])
        elif parameter.ndim == 4:
            values *= 0.1
        parameter.data = values.bfloat16().float()


def build_network(rms, image_token, vocabulary):
    vision = InternVLVisionConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=[SIDE, SIDE],
        patch_size=[7, 7], attention_bias=not rms, use_qk_norm=rms, norm_type="rms_norm" if rms else "layer_norm")
    text = Qwen2Config(vocab_size=vocabulary, hidden_size=24, intermediate_size=40, num_hidden_layers=4,
                       num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=4096, rope_theta=1e6,
                       tie_word_embeddings=True)
    network = InternVLForConditionalGeneration(InternVLConfig(
        vision_config=vision, text_config=text, image_token_id=image_token, image_seq_length=IMAGE_TOKENS,
        tie_word_embeddings=True))
    randomise(network, 7 if rms else 11)
    return network.eval()


VISION = [("vision_tower", "vision_model"), ("encoder.layer.", "encoder.layers."), ("cls_token", "class_embedding"),
          ("position_embeddings", "position_embedding"), ("patch_embeddings.projection", "patch_embedding"),
          ("attention.projection_layer", "attn.proj"), ("attention.", "attn."), ("layernorm_before", "norm1"),
          ("layernorm_after", "norm2"), ("lambda_", "ls")]
PROJECTOR = [("multi_modal_projector.layer_norm", "mlp1.0"), ("multi_modal_projector.linear_1", "mlp1.1"),
             ("multi_modal_projector.linear_2", "mlp1.3")]


def original_name(name):
    for new, old in VISION + PROJECTOR if "language_model" not in name else []:
        name = name.replace(new, old)
    return name


def original_weights(weights):
    """transformers' tensors under OpenGVLab's names: the inverse of transformers' convert_internvl_weights_to_hf.py."""
    result = {}
    for name, tensor in weights.items():
        if ".attention.q_proj" in name:
            parts = [weights[name.replace("q_proj", part)] for part in ("q_proj", "k_proj", "v_proj")]
            result[original_name(name).replace("q_proj", "qkv")] = torch.cat(parts)
        elif ".attention.k_proj" not in name and ".attention.v_proj" not in name:
            result[original_name(name)] = tensor
    return result


def original_config(config):
    """The keys of OpenGVLab's config.json that matter."""
    vision, text = config["vision_config"], dict(config["text_config"])
    text["rope_theta"] = text.pop("rope_parameters")["rope_theta"]
    text["rope_scaling"] = {"factor": 2.0, "rope_type": "dynamic", "type": "dynamic"}  # begins beyond the prompts
    text["architectures"] = ["Qwen2ForCausalLM"]
    keep = ["hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "layer_norm_eps", "norm_type",
            "hidden_act", "num_channels"]
    return {"architectures": ["InternVLChatModel"], "model_type": "internvl_chat", "downsample_ratio": 0.5,
            "force_image_size": SIDE, "ps_version": "v2", "select_layer": -1, "template": "internvl2_5",
            "llm_config": text, "vision_config": {key: vision[key] for key in keep} | {
                "image_size": SIDE, "patch_size": 7, "qk_normalization": vision["use_qk_norm"],
                "qkv_bias": vision["attention_bias"]}}


def bfloat16(weights):
    return {name: tensor.bfloat16().contiguous() for name, tensor in weights.items()}


def save_network(network, name, tokenizer, prefix):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as scratch:
        network.save_pretrained(scratch)
        weights = load_file(pathlib.Path(scratch) / "model.safetensors")
        config = json.loads((pathlib.Path(scratch) / "config.json").read_text())
        if prefix:
            folder.mkdir()
            moved = {("model." + key.replace("language_model.model.", "language_model.")): t for key, t in weights.items()}
            save_file(bfloat16(moved), folder / "model.safetensors", {"format": "pt"})
            shutil.copy(pathlib.Path(scratch) / "config.json", folder)
        else:
            network.save_pretrained(folder, max_shard_size="100KB")
            (folder / "generation_config.json").unlink()
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    other = HERE / ("original" if name == "layernorm" else name + "-original")
    shutil.rmtree(other, ignore_errors=True)
    other.mkdir()
    save_file(bfloat16(original_weights(weights)), other / "model.safetensors", {"format": "pt"})
    (other / "config.json").write_text(json.dumps(original_config(config), indent=1) + "\n")
    tokenizer.save(str(other / "tokenizer.json"), pretty=False)


def adapted(network):
    """With an adapter in all three parts, saved for both layouts."""
    config = LoraConfig(r=2, lora_alpha=6, target_modules=(
        r".*language_model.*\.(q_proj|v_proj|down_proj)|.*(projection_layer|fc1|linear_1)"))
    wrapped = get_peft_model(network, config)
    generator = torch.Generator().manual_seed(5)
    for name, parameter in wrapped.named_parameters():
        if "lora_" in name:
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.3
    for name in ("adapter", "adapter-original"):
        shutil.rmtree(HERE / name, ignore_errors=True)
        wrapped.save_pretrained(HERE / name)
        (HERE / name / "README.md").unlink(missing_ok=True)
    file = HERE / "adapter-original" / "adapter_model.safetensors"
    weights = {}
    for key, tensor in load_file(file).items():
        key = re.sub(r"model\.model\.(vision|multi|language_model)", r"model.\1", key)
        weights[original_name(key.replace("language_model.layers", "language_model.model.layers"))] = tensor
    save_file(weights, file, {"format": "pt"})
    settings = json.loads((file.parent / "adapter_config.json").read_text())
    settings["target_modules"] = r".*language_model.*\.(q_proj|v_proj|down_proj)|.*(attn\.proj|fc1|mlp1\.1)"
    (file.parent / "adapter_config.json").write_text(json.dumps(settings, indent=1) + "\n")
    for name in ("adapter", "adapter-original"):
        settings = json.loads((HERE / name / "adapter_config.json").read_text())
        settings["base_model_name_or_path"] = None
        (HERE / name / "adapter_config.json").write_text(json.dumps(settings, indent=1) + "\n")
    return wrapped.merge_and_unload().eval()


def picture(number):
    y, x, c = np.meshgrid(np.arange(SIDE), np.arange(SIDE), np.arange(3), indexing="ij")
    return ((37 * x + 91 * y + 53 * c + 29 * number + 7 * x * y) % 256).astype(np.uint8)


def normalised(pictures):
    pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (pixels - mean[:, None, None]) / deviation[:, None, None]


def normalise_pauses(text):
    return re.sub(r"\.{3,8}", "\n", re.sub(r"\.{9,}", "\n\n", text)).rstrip(" ")


def prompt(rows, row, words):
    """The prompt of a TR as text."""
    rows = [text if text else "..." for text in rows] + ["..."] * 20
    text = rows[row]
    history = " ".join("".join(rows[:row]).split(" ")[-(words - len(text.split())):])
    history, text = normalise_pauses(history), normalise_pauses(text)
    frames = "\n".join(f"Frame{i + 1}: <image>" for i in range(FRAMES))
    return (history + "\n" if history else "") + frames + "\n" + text


@torch.no_grad()
def run(network, tokenizer, query, pixels):
    """Ids, and every state by name."""
    image = "<img>" + "<IMG_CONTEXT>" * IMAGE_TOKENS + "</img>"
    ids = torch.tensor([tokenizer.encode(query.replace("<image>", image)).ids])
    states, hooks = {}, []

    def keep(module, name):
        hooks.append(module.register_forward_hook(
            lambda _, __, out: states.update({name: (out[0] if isinstance(out, tuple) else out).clone()})))

    inner = network.model
    keep(inner.vision_tower.embeddings, "vision.embed")
    for i, layer in enumerate(inner.vision_tower.encoder.layer):
        keep(layer, f"vision.{i}")
    keep(inner.multi_modal_projector, "image")
    for i, layer in enumerate(inner.language_model.layers):
        keep(layer, f"language.{i}")
    keep(inner.language_model.norm, "language.norm")
    network(input_ids=ids, pixel_values=pixels)
    for hook in hooks:
        hook.remove()
    return ids[0], states


def readings(tokenizer, ids, states):
    starts = (ids == tokenizer.token_to_id("<img>")).nonzero().flatten().tolist()
    ends = (ids == tokenizer.token_to_id("</img>")).nonzero().flatten().tolist()
    norm = states["language.norm"][0]
    text = range(max(min(ends[-1] + 2, len(ids) - 1), len(ids) - TOKENS), len(ids))
    layers = [norm] + [states[f"language.{i}"][0] for i in LAYERS]
    return {"img": torch.cat([norm[a + 1:b].mean(0) for a, b in zip(starts, ends)]),
            "text": torch.cat([layer[text].mean(0) for layer in layers]),
            "vit": states[f"vision.1"][:, 0].flatten()}


def clip_pictures():
    """(time from the first frame, RGB) of the clip's frames, which the test makes a movie of in the same way. Its chroma has
    the picture's size: how 4:2:0 becomes RGB differs between versions of libswscale, by 0.2 levels on average."""
    flags = av.video.reformatter.Interpolation
    flags = flags.BICUBIC | flags.ACCURATE_RND | flags.FULL_CHR_H_INT | flags.BITEXACT
    with tempfile.TemporaryDirectory() as scratch:
        file = f"{scratch}/clip.mkv"
        subprocess.run(["ffmpeg", "-v", "error", "-i", CLIP, "-t", "10.43", "-an", "-c:v", "ffv1",
                        "-pix_fmt", "yuv444p", file], check=True)
        with av.open(file) as container:
            start = float(container.streams.video[0].start_time * container.streams.video[0].time_base)
            return [(frame.time - start, frame.to_ndarray(format="rgb24", interpolation=flags))
                    for frame in container.decode(video=0)]


def clip_frames(shown, row):
    """Pictures shown at the midpoints of eighths of the TR, resized by Pillow."""
    times = [(row + (i + 0.5) / FRAMES) * TR_S for i in range(FRAMES)]
    rgbs = [[rgb for start, rgb in shown if start <= time + 1e-6][-1] for time in times]
    return [np.asarray(Image.fromarray(rgb).resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for rgb in rgbs]


def main():
    tokenizer = build_tokenizer()
    vocabulary = tokenizer.get_vocab_size()
    image_token = tokenizer.token_to_id("<IMG_CONTEXT>")
    with open(HERE / "transcript.tsv", "w", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["text_per_tr", "words_per_tr", "onsets_per_tr", "durations_per_tr"])
        writer.writerows([[text, [], [], []] for text in ROWS[:6]])
    networks = {"layernorm": build_network(False, image_token, vocabulary),
                "rmsnorm": build_network(True, image_token, vocabulary)}
    for name, network in networks.items():
        save_network(network, name, tokenizer, "model." if name == "rmsnorm" else "")
    networks["adapter"] = adapted(build_network(False, image_token, vocabulary))

    expected = {}
    queries = {f"prompt.{words}.{row}": prompt(ROWS, row, words) for words in (1000, 6) for row in range(len(ROWS))}
    for name, query in queries.items():
        image = "<img>" + "<IMG_CONTEXT>" * IMAGE_TOKENS + "</img>"
        expected[name] = torch.tensor(tokenizer.encode(query.replace("<image>", image)).ids)
    for name, network in networks.items():
        pixels = normalised([picture(i) for i in range(FRAMES)])
        ids, states = run(network, tokenizer, queries["prompt.1000.6"], pixels)
        for key, state in (states | readings(tokenizer, ids, states)).items():
            if key.startswith("vision."):
                state = state[:2]
            if key.startswith("language."):
                state = state[0, ::3]  # of every third token, to keep the file small
            expected[f"{name}.{key}"] = state
    rows = {"img": [], "text": [], "vit": []}
    shown = clip_pictures()
    for row in range(7):
        pixels = normalised(clip_frames(shown, row))
        ids, states = run(networks["layernorm"], tokenizer, prompt(ROWS[:6], row, 1000), pixels)
        for key, values in readings(tokenizer, ids, states).items():
            rows[key].append(values)
    expected |= {f"clip.{key}": torch.stack(values) for key, values in rows.items()}
    save_file({name: tensor.contiguous() for name, tensor in expected.items()}, HERE / "expected.safetensors")
    for file in HERE.rglob("*.safetensors"):
        file.chmod(0o644)
    print(sum(file.stat().st_size for file in HERE.rglob("*") if file.is_file()), "bytes")


if __name__ == "__main__":
    main()
