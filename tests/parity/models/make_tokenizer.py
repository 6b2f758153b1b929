"""Makes tokenizer_*.json and tokenizer_texts.json: small tokenizers with the parts of real ones, and the ids that the
reference gives to texts of many kinds.

    pip install tokenizers==0.23.3 && python tests/parity/models/make_tokenizer.py

Each is trained on a few sentences; pre-tokenizers, normalizers and templates are those of Llama 3, Qwen2.5, GPT-2 and
SmolLM2. `odd` has what these have not: an alphabet that lacks bytes, and added tokens with every flag."""
import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from tokenizer_texts import PARTS, SENTENCES, SPECIAL, random_text, seeded

FOLDER = Path(__file__).parent
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)"
          r"|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def split(expression):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(expression), behavior="isolated"),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def trained(pre_tokenizer, size, normalizer=None, alphabet=None, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    alphabet = pre_tokenizers.ByteLevel.alphabet() if alphabet is None else alphabet
    tokenizer.train_from_iterator(SENTENCES, trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=alphabet, limit_alphabet=len(alphabet), show_progress=False,
        special_tokens=[model["unk_token"]] if "unk_token" in model else []))
    return tokenizer


def llama3():
    content = json.loads(trained(split(LLAMA3), 700, ignore_merges=True).to_str())
    # A word that is in the vocabulary, but no merges lead there: only ignore_merges finds it.
    content["model"]["vocab"]["Ġnobody"] = len(content["model"]["vocab"])
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.add_special_tokens(["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"])
    begin = "<|begin_of_text|>"
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single=[begin, "$A"], pair=[begin, "$A", f"{begin}:1", "$B:1"],
                                      special_tokens=[(begin, tokenizer.token_to_id(begin))])])
    return json.loads(tokenizer.to_str())


def qwen2():
    tokenizer = trained(split(QWEN2), 600, normalizers.NFC())
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens([AddedToken("<tool_call>", normalized=False)])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    content = json.loads(tokenizer.to_str())
    content["model"]["merges"] = [" ".join(pair) for pair in content["model"]["merges"]]
    return content


def gpt2():
    tokenizer = trained(pre_tokenizers.ByteLevel(add_prefix_space=False), 500, continuing_subword_prefix="",
                        end_of_word_suffix="")
    tokenizer.add_special_tokens([AddedToken("<|endoftext|>", normalized=True, special=True)])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return json.loads(tokenizer.to_str())


def smollm2():
    tokenizer = trained(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                 pre_tokenizers.ByteLevel(add_prefix_space=False)]), 500)
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    return json.loads(tokenizer.to_str())


ODD = ["<sep>", "<lead>", "<trail>", "<both>", "lone", "Ω", "\u2126", "  ", "<both> x"]


def odd():
    letters = [letter for letter in pre_tokenizers.ByteLevel.alphabet() if letter.isascii()]
    tokenizer = trained(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=False),
                                                 pre_tokenizers.ByteLevel(add_prefix_space=True)]),
                        300, normalizers.Sequence([normalizers.NFC()]), letters, unk_token="<unk>", fuse_unk=True)
    tokenizer.add_special_tokens(["<s>", "</s>", "<sep>"])
    tokenizer.add_tokens([AddedToken("<lead>", lstrip=True, normalized=False), AddedToken("<trail>", rstrip=True, normalized=False),
                          AddedToken("<both>", lstrip=True, rstrip=True, normalized=True),
                          AddedToken("<both> x", normalized=True), AddedToken("  ", normalized=True),
                          AddedToken("lone", single_word=True, normalized=False), AddedToken("\u03a9", normalized=True)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("<s>", "</s>")])
    return json.loads(tokenizer.to_str())


def main():
    tokenizers = {}
    for make in (llama3, qwen2, gpt2, smollm2, odd):
        file = FOLDER / f"tokenizer_{make.__name__}.json"
        file.write_text(json.dumps(make(), ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
        tokenizers[make.__name__] = Tokenizer.from_file(str(file))
    numbers = seeded(3)
    texts = ["", *SENTENCES, *PARTS, *SPECIAL, *(random_text(numbers, 7, ODD) for _ in range(500))]
    cases = [{"text": text, **{name: tokenizer.encode(text).ids for name, tokenizer in tokenizers.items()}}
             for text in texts]
    lines = ",\n".join(json.dumps(case, ensure_ascii=True, separators=(",", ":")) for case in cases)
    (FOLDER / "tokenizer_texts.json").write_text(f"[\n{lines}\n]\n")
    print(len(cases), "texts")


if __name__ == "__main__":
    main()
