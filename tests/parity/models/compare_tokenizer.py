"""Compares token ids and decoded texts with the reference on 100,000 and more random and real strings a tokenizer.

    cmake --build build/release --target tokenize
    pip install tokenizers==0.23.3
    python tests/parity/models/compare_tokenizer.py --program build/release/tests/tokenize [TOKENIZER.JSON …]

Without files: the small tokenizers of this folder. Real strings are pieces of the text files under --texts. Every
character of Unicode is tried too, beside letters, digits and spaces; texts that differ and have letters or numbers of a
Unicode newer than PCRE2's are counted apart. Exits 1 where any other text differs."""
import argparse
import struct
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

from tokenizers import Regex, Tokenizer, pre_tokenizers

from tokenizer_texts import random_text, seeded

FOLDER = Path(__file__).parent


def real_texts(folders, count, numbers):
    files = [file for folder in folders for file in Path(folder).rglob("*")
             if file.is_file() and file.suffix in (".txt", ".md", ".py", ".po", ".html", ".tsv", ".cpp", ".hpp", ".json", "")]
    numbers.shuffle(files)
    texts = []
    for file in files:
        try:
            content = file.read_bytes()[:1 << 20].decode()
        except (OSError, UnicodeDecodeError):
            continue
        for _ in range(min(200, len(content) // 20)):
            begin = numbers.randrange(len(content))
            texts.append(content[begin:begin + numbers.randint(1, 300)])
        if len(texts) >= count:
            break
    return texts[:count]


def all_characters():
    for code in range(0x110000):
        if not 0xD800 <= code < 0xE000:
            c = chr(code)
            yield f"a{c}b {c} {c}{c}1{c}'s{c}"


def ours(program, tokenizer, texts):
    """(ids, decoded text) of each, and the seconds that encoding took."""
    encoded = [text.encode() for text in texts]
    done = subprocess.run([program, tokenizer], input=b"".join(struct.pack("<I", len(text)) + text for text in encoded),
                          capture_output=True, check=True)
    results, at, out = [], 0, done.stdout
    for _ in texts:
        count, = struct.unpack_from("<i", out, at)
        ids = list(struct.unpack_from(f"<{count}i", out, at + 4))
        length, = struct.unpack_from("<I", out, at + 4 + 4 * count)
        at += 8 + 4 * count + length
        results.append((ids, out[at - length:at].decode()))
    assert at == len(out)
    return results, float(done.stderr)


def theirs(tokenizer, texts):
    reference = Tokenizer.from_file(str(tokenizer))
    start = time.perf_counter()
    ids = [reference.encode(text, add_special_tokens=False).ids for text in texts]
    seconds = time.perf_counter() - start
    return [(own, reference.decode(own, skip_special_tokens=False)) for own in ids], seconds


def compare(program, tokenizer, kind, texts, newer):
    mine, our_seconds = ours(program, tokenizer, texts)
    reference, their_seconds = theirs(tokenizer, texts)
    different = [text for text, a, b in zip(texts, mine, reference) if a != b]
    excused = [text for text in different if newer.intersection(text)]
    print(f"{Path(tokenizer).name}, {kind}: {len(texts)} texts, {len(different) - len(excused)} differ"
          + (f", {len(excused)} with characters of a newer Unicode" if excused else "")
          + f"; encoding took {our_seconds:.2f} s, the reference {their_seconds:.2f} s", flush=True)
    wrong = [text for text in different if text not in set(excused)]
    for text in wrong[:3]:
        print("   ", ascii(text))
    return len(wrong)


def newer_characters():
    """Letters and numbers to the reference that Unicode 14 (Python's table, and PCRE2's before 10.43) does not have.
    The reference has two tables: that of its regular expressions, and a newer one for digits."""
    assert unicodedata.unidata_version == "14.0.0", "run this with Python 3.11"
    letters = pre_tokenizers.Split(Regex(r"[\p{L}\p{N}]"), behavior="removed")
    digits = pre_tokenizers.Digits(individual_digits=True)
    unassigned = (chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Cn")
    return {c for c in unassigned if not letters.pre_tokenize_str(c) or len(digits.pre_tokenize_str(f"a{c}")) == 2}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tokenizers", nargs="*", default=sorted(FOLDER.glob("tokenizer_[!t]*.json")))
    parser.add_argument("--program", default="build/release/tests/tokenize")
    parser.add_argument("--texts", nargs="+", default=["docs", "/usr/share/doc", "/usr/lib/python3", "/usr/share/perl"])
    parser.add_argument("--count", type=int, default=60000, help="random and as many real texts")
    options = parser.parse_args()
    numbers = seeded(17)
    kinds = {"random": [random_text(numbers, 24) for _ in range(options.count)],
             "real": real_texts(options.texts, options.count, numbers),
             "every character": list(all_characters()),
             "long": [part * (1_000_000 // len(part)) for part in ("a", "ab", "12", " ", "\n ", "'", "漢", "\u0301\u0323")]}
    newer = newer_characters()
    wrong = 0
    for tokenizer in options.tokenizers:
        for kind, texts in kinds.items():
            wrong += compare(options.program, tokenizer, kind, texts, newer)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
