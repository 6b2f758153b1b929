"""Whisper features of some TRs beside transformers: the same weights, sound, batch, threads and precision.

    python -m venv venv && venv/bin/pip install -r benchmarks/peers/requirements.txt torch==2.11.0 transformers==5.24.0
    venv/bin/python benchmarks/peers/whisper.py --program build/release/bin/cinecortex [--weights whisper-base]

Without --weights an encoder of whisper-base's size (--size small: whisper-small's) with random numbers is made. The peer is the
authors' way: WhisperFeatureExtractor and the encoder for each batch of 29-second clips, scaled-dot-product attention, inference
mode, hidden states of the wanted blocks at the tokens of the TR. cinecortex's extractor is called by
build/release/benchmarks/whisper. Neither is timed for loading; the better of three calls each."""
import json
from pathlib import Path

import numpy as np

from common import arguments, compare, fastest, header, run_kernel, run_peer, start, tell

RATE, TR, CONTEXT_S, TOKENS = 16000, 1.49, 29, 18
SIZES = {"base": dict(d_model=512, encoder_layers=6, encoder_attention_heads=8, decoder_attention_heads=8,
                     encoder_ffn_dim=2048),
         "small": dict(d_model=768, encoder_layers=12, encoder_attention_heads=12, decoder_attention_heads=12,
                      encoder_ffn_dim=3072)}
LAYERS = {6: [0, 2, 4, 5], 12: [0, 4, 7, 11]}


def make_weights(folder, size):
    import torch
    from transformers import WhisperConfig, WhisperModel

    if not (folder / "model.safetensors").exists():
        torch.manual_seed(1)
        WhisperModel(WhisperConfig(**SIZES[size], decoder_layers=1, vocab_size=64, pad_token_id=0, bos_token_id=1,
                                   eos_token_id=2, decoder_start_token_id=1)).save_pretrained(folder)
    return folder


def make_sound(file, seconds):
    """Chirps and noise that come and go."""
    random = np.random.default_rng(29)
    t = np.arange(seconds * RATE) / RATE
    sound = 0.2 * np.sin(2 * np.pi * (300 + 40 * np.sin(t)) * t) + 0.05 * random.standard_normal(len(t))
    (sound * (0.55 + 0.45 * np.sin(0.7 * t))).astype(np.float32).tofile(file)


def load_encoder(weights, kind):
    """The encoder alone: a folder need not have a decoder."""
    import torch
    from safetensors.torch import load_file
    from transformers import WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    encoder = WhisperEncoder(WhisperConfig.from_pretrained(weights)).eval()
    stored = load_file(Path(weights) / "model.safetensors")
    encoder.load_state_dict({name.split("encoder.", 1)[1]: value for name, value in stored.items()
                             if name.startswith(("model.encoder.", "encoder."))})
    return encoder.to(getattr(torch, kind))


def peer(weights, sound, trs, batch, kind, layers, result):
    """In a process of its own."""
    import torch
    from transformers import WhisperFeatureExtractor

    encoder = load_encoder(weights, kind)
    processor = WhisperFeatureExtractor(feature_size=encoder.config.num_mel_bins)
    samples, trs, batch = np.fromfile(sound, np.float32), int(trs), int(batch)
    layers = [int(layer) for layer in layers.split(",")]
    rows = round(len(samples) / RATE / TR)
    last = max(layers) == len(encoder.layers) - 1

    def features():
        result = []
        for first in range(rows - trs, rows, batch):
            ends = [round((row + 1) * TR * RATE) for row in range(first, min(first + batch, rows))]
            clips = [samples[max(0, end - CONTEXT_S * RATE) : end] for end in ends]
            inputs = processor(clips, sampling_rate=RATE, return_tensors="pt", return_attention_mask=True)
            seen = []
            hook = encoder.layers[-1].register_forward_hook(
                lambda _, __, out: seen.append(out[0] if isinstance(out, tuple) else out)) if last else None
            hidden = encoder(inputs.input_features.to(encoder.dtype), output_hidden_states=True).hidden_states
            if hook: hook.remove()
            for clip, mask in enumerate(inputs.attention_mask):
                q = (int(mask.sum()) - 1) // 2 + 1
                tokens = np.maximum(np.round(q - np.linspace(75, 1, TOKENS)), 0).astype(int)
                # transformers' last hidden state went through the final norm; the paper's is from before.
                states = [seen[0] if last and layer == layers[-1] else hidden[layer + 1] for layer in layers]
                result.append(np.concatenate([state[clip, tokens].float().numpy().ravel() for state in states]))
        return np.stack(result)

    with torch.inference_mode():
        tell(*fastest(features), result)


def gflop(weights, layers):
    """Multiplications and additions of one clip: the whole encoder, and what is left when the last wanted block computes few
    tokens only and none comes after it."""
    config = json.loads((Path(weights) / "config.json").read_text())
    d, ffn, n = config["d_model"], config["encoder_ffn_dim"], config["max_source_positions"]
    stem = 2 * 2 * n * 3 * config["num_mel_bins"] * d + 2 * n * 3 * d * d
    block = 2 * n * (4 * d * d + 2 * d * ffn) + 4 * n * n * d
    short = 2 * n * 2 * d * d + 2 * TOKENS * (2 * d * d + 2 * d * ffn) + 4 * TOKENS * n * d
    return (stem + config["encoder_layers"] * block) / 1e9, (stem + layers[-1] * block + short) / 1e9


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, help="a Whisper folder; default: random numbers")
    parser.add_argument("--size", choices=SIZES, default="base")
    parser.add_argument("--trs", type=int, default=8)
    parser.add_argument("--batch", type=int, nargs="*", default=[1, 4])
    parser.add_argument("--type", nargs="*", default=["float32", "bfloat16"])
    options = parser.parse_args()
    facts = header(options)
    options.folder.mkdir(parents=True, exist_ok=True)
    weights = options.weights or make_weights(options.folder / f"whisper-{options.size}", options.size)
    layers = LAYERS[json.loads((weights / "config.json").read_text())["encoder_layers"]]
    sound, ours, theirs = (options.folder / name for name in ("sound.bin", "ours.bin", "theirs.bin"))
    make_sound(sound, 60)
    whole, needed = gflop(weights, layers)
    for kind in options.type:
        for batch in options.batch:
            words = (weights, sound, options.trs, batch, kind, ",".join(map(str, layers)))
            our_seconds = run_kernel(options, "whisper", *words, ours)["seconds"]
            seconds, _, _ = run_peer(options, __file__, "peer", *words, theirs)
            compare(options, facts, f"{weights.name}, {options.trs} TRs, batch {batch}, {kind}", "transformers", seconds,
                    our_seconds, ours, theirs, gflop_a_tr=f"{needed:.0f} of {whole:.0f}",
                    our_gflops=f"{needed * options.trs / our_seconds:.0f}")
    for file in (sound, ours, theirs):
        file.unlink()


if __name__ == "__main__":
    start(main, peer)
