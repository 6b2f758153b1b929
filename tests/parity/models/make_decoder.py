"""Small decoders with random weights, LoRA adapters for them, and what transformers and peft make of both.

    python -m venv venv && venv/bin/pip install torch transformers peft
    venv/bin/python tests/parity/models/make_decoder.py

Writes decoder/<name>/: the model as transformers saves it (bfloat16, `sharded` in two files), adapter/ as peft saves it,
expected.safetensors: ids [2, T] (right-padded), lengths [2], hidden.<i> and adapted.hidden.<i> [2, T, width] (float32
arithmetic; rows of padding are zero), greedy and adapted.greedy: tokens that follow the first 8 of sequence 0.
Also decoder/convolutions/: layers of one to three dimensions, an adapter, and the merged weights."""
import shutil
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from torch import nn
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config

FOLDER = Path(__file__).parent / "decoder"
LENGTHS, PROMPT, NEW = (15, 9), 8, 10
SIZES = dict(hidden_size=32, num_attention_heads=4, num_key_value_heads=2, intermediate_size=40, vocab_size=90,
             bos_token_id=0, eos_token_id=None, pad_token_id=None)
LLAMA3 = dict(rope_type="llama3", rope_theta=100.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=32)
MODELS = {
    "llama3": LlamaConfig(**SIZES, num_hidden_layers=3, rope_parameters=LLAMA3, max_position_embeddings=256),
    "qwen2": Qwen2Config(**SIZES, num_hidden_layers=2, max_position_embeddings=64,
                         rope_parameters=dict(rope_type="dynamic", rope_theta=1e4, factor=2.0)),
    "smollm2": LlamaConfig(**SIZES, num_hidden_layers=2, tie_word_embeddings=True, max_position_embeddings=64,
                           rms_norm_eps=1e-5, rope_parameters=dict(rope_type="default", rope_theta=1e5)),
}
ADAPTERS = {
    "llama3": LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"]),
    "qwen2": LoraConfig(r=4, lora_alpha=8, use_rslora=True, target_modules="all-linear"),
    "smollm2": LoraConfig(r=2, lora_alpha=3, target_modules=r".*layers\.1.*(k_proj|gate_proj)"),
}


def randomise(model, scale):
    """Weights that make each layer and each adapter matter, exact in bfloat16."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            values = torch.randn_like(parameter) * scale
            if "norm" in name:
                values = 1 + values
            parameter.copy_(values.bfloat16().float())


def describe(model, prefix, ids):
    """Hidden states and greedy continuation."""
    mask = torch.arange(ids.shape[1]) < torch.tensor(LENGTHS)[:, None]
    with torch.no_grad():
        states = model(input_ids=ids, attention_mask=mask.long(), output_hidden_states=True).hidden_states
        greedy = ids[:1, :PROMPT]
        for _ in range(NEW):
            greedy = torch.cat([greedy, model(input_ids=greedy).logits[:, -1:].argmax(-1)], 1)
    tensors = {f"{prefix}hidden.{i}": (state * mask[..., None]).contiguous() for i, state in enumerate(states)}
    return tensors | {f"{prefix}greedy": greedy[0, PROMPT:].contiguous()}


def adapt(model, config, folder):
    adapted = get_peft_model(model, config)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:
                parameter.copy_((torch.randn_like(parameter) * 0.2).bfloat16().float())
    adapted.peft_config["default"].base_model_name_or_path = folder.parent.name  # not where it lay on this machine
    adapted.save_pretrained(folder)
    (folder / "README.md").unlink()
    return adapted


def make_model(name, config):
    folder = FOLDER / name
    model = AutoModelForCausalLM.from_config(config).float()
    randomise(model, 0.3)
    model.bfloat16().save_pretrained(folder, max_shard_size="40KB" if name == "llama3" else "1GB")
    # Read again: .bfloat16() has rounded the RoPE's frequencies too.
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa").eval()
    ids = torch.randint(0, config.vocab_size, (2, max(LENGTHS)))
    tensors = {"ids": ids, "lengths": torch.tensor(LENGTHS)} | describe(model, "", ids)
    tensors |= describe(adapt(model, ADAPTERS[name], folder / "adapter").eval(), "adapted.", ids)
    save_file(tensors, folder / "expected.safetensors")
    (folder / "generation_config.json").unlink(missing_ok=True)


class Convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv1d(3, 4, 3), nn.Conv2d(4, 2, (2, 3))
        self.three, self.linear = nn.Conv3d(2, 3, (1, 2, 2)), nn.Linear(3, 5)


def make_convolutions():
    folder = FOLDER / "convolutions"
    folder.mkdir(parents=True)
    model = Convolutions()
    save_file(model.state_dict(), folder / "model.safetensors")
    config = LoraConfig(r=2, lora_alpha=16, target_modules=["one", "two", "three", "linear"])
    merged = adapt(model, config, folder / "adapter").merge_and_unload()
    save_file({name: value.contiguous() for name, value in merged.state_dict().items()}, folder / "expected.safetensors")


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name, config in MODELS.items():
        torch.manual_seed(1004)
        make_model(name, config)
    torch.manual_seed(1004)
    make_convolutions()


if __name__ == "__main__":
    main()
