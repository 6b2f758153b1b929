"""A small Llama with tokenizer, a transcript that is hard to cut, and the features that transformers takes of it.

    python -m venv venv && venv/bin/pip install torch transformers tokenizers
    venv/bin/python tests/parity/models/make_llama.py

Writes llama/: config.json, model.safetensors (bfloat16), tokenizer.json (byte-level BPE with Llama 3's pre-tokenizer and BOS),
transcript.tsv, expected.safetensors: rows [TRs, 3 layers x 7 tokens x width] of windows of 12 words, rows.long of windows of 1000,
by the reference loop: one forward pass for each TR."""
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoModelForCausalLM, LlamaConfig

FOLDER = Path(__file__).parent / "llama"
LAYERS, TOKENS = (0, 1, 3), 7
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
# Silence first and between; words cut by TRs; spaces at ends, doubled, alone; a line break; letters outside ASCII.
TEXTS = ["", "", "So", " what are", " you do", "ing?", "", "", " Noth", "ing. ", "  I mean... ", "", "It's 1", "2 ", "o'clock. ", "",
         "Ünder", " the brid", "ge — ", "naïve, aren't", " we?\n", "", " ", "", "Oh", "!", "!", "!", " No", "... ", "no", "", "",
         " 日本", "語 is", " hard ", "to read", " aloud", ".", ""]


def make_tokenizer(folder):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<bos>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  show_progress=False)
    tokenizer.train_from_iterator(["".join(TEXTS)] * 3, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 0)])
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer


def make_model(folder):
    torch.manual_seed(1004)
    config = LlamaConfig(hidden_size=16, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, intermediate_size=24,
                         vocab_size=300, max_position_embeddings=512, tie_word_embeddings=True, bos_token_id=0, eos_token_id=None,
                         rope_parameters=dict(rope_type="default", rope_theta=1e3))
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.4 + ("norm" in name))
    model.bfloat16().save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def text_of(row, words):
    return " ".join("".join(TEXTS[: row + 1]).split(" ")[-words:]) or " "


def features(model, tokenizer, words):
    rows = []
    for row in range(len(TEXTS)):
        ids = tokenizer.encode(text_of(row, words)).ids
        with torch.no_grad():
            states = model(torch.tensor([ids]), output_hidden_states=True).hidden_states
        wanted = [states[layer][0, -TOKENS:] for layer in LAYERS]
        wanted = [torch.cat([state[:1]] * max(0, TOKENS - len(state)) + [state]) for state in wanted]
        rows.append(torch.cat(wanted).flatten())
    return torch.stack(rows)


def write_transcript(file):
    def quoted(text):
        return '"' + text.replace('"', '""') + '"' if any(c in text for c in '"\t\r\n') else text

    lines = ["text_per_tr\twords_per_tr\tonsets_per_tr\tdurations_per_tr"]
    for i, text in enumerate(TEXTS):
        words = text.split()
        lists = [repr(words), repr([1.49 * i] * len(words)), repr([0.1] * len(words))]
        lines.append("\t".join([quoted(text)] + [quoted(each) for each in lists]))
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    tokenizer, model = make_tokenizer(FOLDER), make_model(FOLDER)
    save_file({"rows": features(model, tokenizer, 12), "rows.long": features(model, tokenizer, 1000)},
              FOLDER / "expected.safetensors")
    write_transcript(FOLDER / "transcript.tsv")


if __name__ == "__main__":
    main()
