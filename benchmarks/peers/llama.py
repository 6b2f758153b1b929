"""Language-model features of a transcript beside transformers: the same weights, texts, threads and precision.

    python -m venv venv && venv/bin/pip install -r benchmarks/peers/requirements-networks.txt h5py
    venv/bin/python benchmarks/peers/llama.py --program build/release/bin/cinecortex [--weights smollm2-135m]

Without --weights a small Llama with random numbers and a tokenizer of its own is made. The transcript is made up: sentences of common
words and pauses, a third of the TRs silent; --words TRs' mean number. At 3.4 words a TR (an episode of Friends has about that many) the window
of 1000 words is full after 300 TRs and slides from then on; at 2 it never is. The peer is the straightforward loop: for each TR the text,
its tokens, one forward pass of the model without its head, the hidden states of its last tokens. It is timed for the loop alone, cinecortex as a whole
program: start, reading, features, the written file. --every N lets the peer compute only each N-th TR, and counts its time N times."""
import json
from pathlib import Path

import numpy as np

from common import arguments, compare, fastest, header, run_cinecortex, run_peer, start

TOKENS, WORDS, SILENT = 7, 1000, 1 / 3
VOCABULARY = ("the of and to a in is you that it he was for on are as with his they I at be this have from or one had by but not "
              "what all were we when your can said there use an each which she do how their if will up other about out many then "
              "them these so some her would make like him into time has look two more write go see no way could people my than "
              "first been call who its now find long down day did get come made may part over know really maybe yeah okay sorry "
              "coffee apartment wedding sandwich unbelievable remember Chandler Monica Rachel Ross Joey Phoebe").split()


def make_transcript(file, trs, words_per_tr):
    random = np.random.default_rng(1994)
    lines, capital = ["text_per_tr\twords_per_tr\tonsets_per_tr\tdurations_per_tr"], True
    for tr in range(trs):
        count = 0 if random.random() < SILENT else random.poisson(words_per_tr / (1 - SILENT))
        words = []
        for word in random.choice(VOCABULARY, count):
            word, capital = (word.capitalize() if capital else word), False
            if random.random() < 0.15:
                word, capital = word + random.choice([".", "?", "!", "..."]), True
            words.append(str(word))
        text = "".join(" " + word for word in words)
        lines.append("\t".join([text, repr(words), repr([1.49 * tr] * count), repr([0.1] * count)]))
    file.write_text("\n".join(lines) + "\n")
    return [line.split("\t")[0] for line in lines[1:]]


def make_weights(folder):
    """8 layers, 256 wide; byte-level BPE of 1000 tokens."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM

    if (folder / "tokenizer.json").exists():
        return folder
    torch.manual_seed(1)
    config = LlamaConfig(hidden_size=256, num_hidden_layers=8, num_attention_heads=8, num_key_value_heads=4, intermediate_size=704,
                         vocab_size=1000, max_position_embeddings=8192, tie_word_embeddings=True, initializer_range=0.1)
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=1000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator([" " + word for word in VOCABULARY + [word.capitalize() for word in VOCABULARY]], trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def peer(weights, texts_file, layers, every, result):
    """In a process of its own."""
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModel

    model = AutoModel.from_pretrained(weights, dtype=torch.float32).eval()
    tokenizer = Tokenizer.from_file(str(Path(weights) / "tokenizer.json"))
    texts, layers = json.loads(Path(texts_file).read_text()), [int(layer) for layer in layers.split(",")]
    trs = range(0, len(texts), int(every))

    def row(tr):
        text = " ".join("".join(texts[: tr + 1]).split(" ")[-WORDS:]) or " "
        states = model(torch.tensor([tokenizer.encode(text).ids]), output_hidden_states=True).hidden_states
        wanted = [states[layer][0, -TOKENS:] for layer in layers]
        return torch.cat([torch.cat([state[:1]] * (TOKENS - len(state)) + [state]) for state in wanted]).flatten().numpy()

    with torch.inference_mode():
        row(trs[-1])  # warm
        seconds, rows = fastest(lambda: np.stack([row(tr) for tr in trs]), calls=1)
    np.save(result, rows)
    print(json.dumps({"seconds": seconds * len(texts) / len(trs)}))


def main():
    import h5py

    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, help="a Llama-type folder; default: a small one with random numbers")
    parser.add_argument("--trs", type=int, default=480)
    parser.add_argument("--words", type=float, nargs="*", default=[2.0, 3.4], help="mean number of words a TR")
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    facts = header(options)
    options.folder.mkdir(parents=True, exist_ok=True)
    weights = options.weights or make_weights(options.folder / "llama-small")
    blocks = json.loads((weights / "config.json").read_text())["num_hidden_layers"]
    layers = [0, round(blocks * 11 / 32), round(blocks * 21 / 32), blocks]
    transcript, ours, theirs, texts_file = (options.folder / name for name in ("t.tsv", "ours.h5", "theirs.npy", "texts.json"))
    for words in options.words:
        texts = make_transcript(transcript, options.trs, words)
        texts_file.write_text(json.dumps(texts))
        seconds, _, _ = run_peer(options, __file__, "peer", weights, texts_file, ",".join(map(str, layers)), options.every, theirs)
        wall, _, _ = run_cinecortex(options, "extract", "--model", "llama", "--weights", weights, "--transcript", transcript,
                                    "--device", "cpu", "--set", f"layers={layers}", "--output", ours)
        with h5py.File(ours) as file:
            a, b = file["features"][:: options.every], np.load(theirs)
        compare(options, facts, f"{weights.name}, {options.trs} TRs, {len(''.join(texts).split())} words",
                "transformers" + (f", every {options.every}th TR" if options.every > 1 else ""), seconds, wall, a, b)
    for file in (transcript, ours, theirs, texts_file):
        file.unlink()


if __name__ == "__main__":
    start(main, peer)
