"""InternVL's readings of some TRs beside transformers: the same weights, pictures, words, threads and precision.

    python -m venv venv && venv/bin/pip install -r benchmarks/peers/requirements-networks.txt
    venv/bin/python benchmarks/peers/internvl.py --program build/release/bin/cinecortex [--weights FOLDER]

Without --weights a network with random numbers is made, with the widths of InternVL3-1B (its encoder is that of InternVL3-8B) and
fewer blocks. The peer is transformers' model without its head, a TR at a time, scaled-dot-product attention, inference mode, hooks
at the wanted layers. Neither is timed for loading and decoding; cinecortex's extractor is called by
build/release/benchmarks/internvl. Words are those of a run that goes on: each TR adds some to those before."""
import json
import re
from pathlib import Path

import numpy as np

from common import arguments, compare, fastest, header, run_kernel, run_peer, start, tell

FRAMES, TOKENS, SIDE = 8, 10, 448
WORDS = "the of a fish bright water turn slowly now where did they go again we saw them leave before".split()


def make_weights(folder, blocks):
    """Weights in transformers' layout, and a tokenizer with a token for each word and character that occurs."""
    import torch
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import InternVLConfig, InternVLForConditionalGeneration, InternVLVisionConfig, Qwen2Config

    if (folder / "tokenizer.json").exists():
        return folder
    tokenizer = Tokenizer(models.BPE())
    pattern = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                                       pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator([" ".join(WORDS) + "\n\nFrame1: "] * 3, trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False))
    tokenizer.add_special_tokens([AddedToken(t, special=True) for t in ("<img>", "</img>", "<IMG_CONTEXT>")])
    torch.manual_seed(3)
    text = Qwen2Config(vocab_size=tokenizer.get_vocab_size(), hidden_size=896, intermediate_size=4864, num_attention_heads=14,
                       num_key_value_heads=2, num_hidden_layers=blocks, max_position_embeddings=32768, rope_theta=1e6)
    vision = InternVLVisionConfig(num_hidden_layers=blocks, attention_bias=True)
    InternVLForConditionalGeneration(InternVLConfig(
        vision_config=vision, text_config=text, image_token_id=tokenizer.token_to_id("<IMG_CONTEXT>"),
        tie_word_embeddings=True)).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def make_words(file, rows):
    random = np.random.default_rng(8)
    lines = ["".join(f"{word} " for word in random.choice(WORDS, random.integers(0, 8))) for _ in range(rows)]
    file.write_text("\n".join(lines) + "\n")


def prompt(rows, row, words=1000):
    rows = [text if text else "..." for text in rows]
    pauses = lambda text: re.sub(r"\.{3,8}", "\n", re.sub(r"\.{9,}", "\n\n", text)).rstrip(" ")
    history = pauses(" ".join("".join(rows[:row]).split(" ")[-(words - len(rows[row].split())):]))
    frames = "\n".join(f"Frame{i + 1}: <image>" for i in range(FRAMES))
    return (history + "\n" if history else "") + frames + "\n" + pauses(rows[row])


def peer(weights, frames, transcript, first, trs, batch, kind, layers, result):
    """In a process of its own."""
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModel

    first, trs, layers = int(first), int(trs), [int(layer) for layer in layers.split(",")]
    model = AutoModel.from_pretrained(weights, dtype=getattr(torch, kind)).eval()
    tokenizer = Tokenizer.from_file(f"{weights}/tokenizer.json")
    image = "<img>" + "<IMG_CONTEXT>" * 256 + "</img>"
    pictures = np.fromfile(frames, np.uint8).reshape(trs, FRAMES, SIDE, SIDE, 3)
    rows = Path(transcript).read_text().split("\n")
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    states = {}
    for i in layers:
        model.language_model.layers[i].register_forward_hook(
            lambda _, __, out, i=i: states.__setitem__(i, out[0] if isinstance(out, tuple) else out))
    model.vision_tower.register_forward_hook(lambda _, __, out: states.__setitem__("vision", out.last_hidden_state))

    def features():
        img, text, vit = [], [], []
        for row in range(trs):
            pixels = torch.from_numpy(pictures[row]).permute(0, 3, 1, 2).float() / 255
            pixels = (pixels - mean[:, None, None]) / deviation[:, None, None]
            ids = torch.tensor([tokenizer.encode(prompt(rows, first + row).replace("<image>", image)).ids])
            norm = model(input_ids=ids, pixel_values=pixels.to(model.dtype), use_cache=False).last_hidden_state[0].float()
            starts = (ids[0] == tokenizer.token_to_id("<img>")).nonzero().flatten().tolist()
            end = (ids[0] == tokenizer.token_to_id("</img>")).nonzero().flatten().tolist()[-1]
            own = slice(max(min(end + 2, len(norm) - 1), len(norm) - TOKENS), None)
            img.append(torch.cat([norm[at + 1:at + 257].mean(0) for at in starts]))
            text.append(torch.cat([norm[own].mean(0)] + [states[i][0, own].float().mean(0) for i in layers]))
            vit.append(states["vision"][:, 0].float().flatten())
        return np.concatenate([torch.stack(values).numpy().ravel() for values in (img, text, vit)])

    with torch.inference_mode():
        tell(*fastest(features, calls=2), result)


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, help="a folder in transformers' layout; default: random numbers")
    parser.add_argument("--blocks", type=int, default=4, help="of the random encoder and language model")
    parser.add_argument("--trs", type=int, default=2)
    parser.add_argument("--first", type=int, nargs="*", default=[1, 150, 400], help="TR to begin with: words so far")
    parser.add_argument("--type", nargs="*", default=["float32", "bfloat16"])
    options = parser.parse_args()
    facts = header(options)
    options.folder.mkdir(parents=True, exist_ok=True)
    weights = options.weights or make_weights(options.folder / f"internvl-{options.blocks}", options.blocks)
    blocks = json.loads((weights / "config.json").read_text())["text_config"]["num_hidden_layers"]
    layers = [23, 22, 21, 12] if blocks > 24 else list(range(blocks - 2, max(blocks - 6, -1), -1))
    frames, words, ours, theirs = (options.folder / name for name in ("frames.bin", "words.txt", "ours.bin", "theirs.bin"))
    make_words(words, 500)
    random = np.random.default_rng(4)
    tiles = random.integers(0, 256, (options.trs, FRAMES, SIDE // 32, SIDE // 32, 3), dtype=np.uint8)
    tiles.repeat(32, 2).repeat(32, 3).tofile(frames)
    for kind in options.type:
        for first in options.first:
            words_ = (weights, frames, words, first, options.trs, 1, kind, ",".join(map(str, layers)))
            report = run_kernel(options, "internvl", *words_, ours)
            seconds, _, _ = run_peer(options, __file__, "peer", *words_, theirs)
            compare(options, facts, f"{weights.name}, {options.trs} TRs from {first} on, {kind}", "transformers", seconds,
                    report["seconds"], ours, theirs)
    for file in (frames, words, ours, theirs):
        file.unlink()


if __name__ == "__main__":
    start(main, peer)
