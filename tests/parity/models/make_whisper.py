#!/usr/bin/env python3
"""Writes the reference of tests/unit/models_whisper*.cpp and tests/cli/whisper.cpp: small Whisper encoders with random
weights, what transformers makes of them, and whole feature rows of real files.

    pip install torch==2.11.0 transformers==5.24.0 peft==0.21.2 av==18.1.0 soundfile==0.14.0
    python make_whisper.py

Needs Debian's opencv-doc and pocketsphinx-testdata for the real files. Into whisper/:
  mel80/, mel128/      model folders as save_pretrained writes them: key prefixes model.encoder. and encoder., float32 and
                       float16, 80 and 128 mel bands
  mel80-lora/          a peft adapter for mel80
  reference.safetensors
    NAME.mel           [bands, frames] of the made-up sound's clip, float32
    NAME.hidden        [blocks + 1, positions, width]: the input of block 0, then each block's output
    NAME.lora.hidden   the same with the adapter
    speech.rows, film.rows   [rows, layers · tokens · width] of a wav and of an avi, by the reference pipeline below
"""
import math
import pathlib

import av
import numpy as np
import soundfile
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.numpy import save_file
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperModel

HERE = pathlib.Path(__file__).resolve().parent / "whisper"
SPEECH = "/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-0870.wav"
FILM = "/usr/share/doc/opencv-doc/examples/data/Megamind.avi"
RATE, TR = 16000, 1.49
SHAPES = {
    "mel80": dict(num_mel_bins=80, d_model=16, encoder_layers=3, encoder_attention_heads=2, encoder_ffn_dim=40,
                  max_source_positions=120),
    "mel128": dict(num_mel_bins=128, d_model=24, encoder_layers=2, encoder_attention_heads=3, encoder_ffn_dim=32,
                   max_source_positions=80),
}


def made_up_sound(samples):
    """A chirp, noise of a linear congruential generator, and silence in the middle: the same in C++ to one bit or so."""
    state, noise = 1, []
    for _ in range(samples):
        state = (1664525 * state + 1013904223) % 2**32
        noise.append(state / 2**31 - 1)
    t = np.arange(samples) / RATE
    sound = 0.3 * np.sin(2 * np.pi * (200 + 900 * t) * t) + 0.02 * np.array(noise)
    sound[samples // 3 : samples // 2] = 0
    return sound.astype(np.float32)


def randomise(model, seed):
    """As large as in a trained network, so that every part shows in the result; the sinusoids stay as they are."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "embed_positions" in name and "encoder" in name:
            continue
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name and name.endswith("weight"):
            parameter.data = 1 + 0.2 * noise
        elif parameter.dim() == 1:
            parameter.data = 0.2 * noise
        else:
            parameter.data = noise / math.sqrt(parameter[0].numel()) * 1.5


def small_model(name):
    config = WhisperConfig(**SHAPES[name], vocab_size=32, decoder_layers=1, decoder_attention_heads=2,
                           decoder_ffn_dim=16, max_target_positions=8, pad_token_id=0, bos_token_id=1, eos_token_id=2,
                           decoder_start_token_id=1)
    model = (WhisperForConditionalGeneration if name == "mel80" else WhisperModel)(config).eval()
    randomise(model, seed=len(name))
    if name == "mel128":
        model = model.half()
    model.save_pretrained(HERE / name)
    return model.float()


def encoder_of(model):
    return model.get_encoder()


def extractor_of(config):
    return WhisperFeatureExtractor(feature_size=config.num_mel_bins,
                                   chunk_length=config.max_source_positions * 320 / RATE)


def prepared(config, clip):
    """What the authors' pipeline gives the encoder of a clip: the spectrogram, and how much of it is sound."""
    extractor = extractor_of(config)
    extractor.n_samples = int(config.max_source_positions * 320)
    out = extractor(clip, sampling_rate=RATE, return_tensors="pt", return_attention_mask=True)
    return out.input_features, out.attention_mask


def hidden_states(encoder, features):
    """The input of block 0 and each block's output, before the final layer norm (which transformers applies to the last
    of its hidden_states)."""
    states = []
    hooks = [encoder.layers[0].register_forward_pre_hook(lambda _, inputs: states.append(inputs[0]))]
    for layer in encoder.layers:
        hooks.append(layer.register_forward_hook(
            lambda _, __, output: states.append(output[0] if isinstance(output, tuple) else output)))
    with torch.no_grad():
        encoder(features)
    for hook in hooks:
        hook.remove()
    return torch.stack(states)[:, 0].float().numpy()


def add_adapter(model):
    config = LoraConfig(r=3, lora_alpha=6, target_modules=["q_proj", "v_proj", "fc1"])
    adapted = get_peft_model(model, config)
    generator = torch.Generator().manual_seed(7)
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
    adapted.save_pretrained(HERE / "mel80-lora")
    return adapted


def film_sound():
    """Decoded by FFmpeg, left and right averaged, resampled by its resampler. The first packet is broken: silence."""
    frames = []
    with av.open(FILM) as container:
        for packet in container.demux(audio=0):
            try:
                frames += packet.decode()
            except av.error.InvalidDataError as error:
                print("skipped:", error)
    stereo = np.concatenate([frame.to_ndarray() for frame in frames], axis=1)
    rate = frames[0].sample_rate
    before = np.zeros(round(float(frames[0].pts * frames[0].time_base) * rate), np.float32)
    mono = np.concatenate([before, stereo.mean(axis=0, dtype=np.float32)])[None]
    whole = av.AudioFrame.from_ndarray(mono, format="fltp", layout="mono")
    whole.sample_rate = rate
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE)
    parts = resampler.resample(whole) + resampler.resample(None)
    return np.concatenate([part.to_ndarray()[0] for part in parts])


def feature_rows(encoder, config, sound, rows, layers, tokens, context_s):
    """A TR at a time, from the definition: the clip, the processor's mask through the convolutions' strides, the tokens."""
    result = []
    for row in range(rows):
        end = round((row + 1) * TR * RATE)
        features, mask = prepared(config, sound[max(0, end - round(context_s * RATE)) : end])
        q = int((int(mask.sum()) - 1) // 2 + 1)
        positions = np.maximum(np.round(q - np.linspace(75, 1, tokens)), 0).astype(int)
        states = hidden_states(encoder, features)
        result.append(np.concatenate([states[layer + 1][positions].ravel() for layer in layers]))
    return np.stack(result)


def main():
    torch.manual_seed(0)
    reference = {}
    for name in SHAPES:
        model = small_model(name)
        features, mask = prepared(model.config, made_up_sound(27000))
        print(name, "frames of sound:", int(mask.sum()), "of", mask.shape[1])
        reference[f"{name}.mel"] = features[0].numpy()
        reference[f"{name}.hidden"] = hidden_states(encoder_of(model), features)
        if name != "mel80":
            continue
        film, speech = film_sound(), soundfile.read(SPEECH, dtype="float32")[0]
        print("samples of film and speech:", len(film), len(speech))
        settings = dict(layers=[0, 2], tokens=18, context_s=2.4)
        reference["speech.rows"] = feature_rows(encoder_of(model), model.config, speech, 5, **settings)
        reference["film.rows"] = feature_rows(encoder_of(model), model.config, film, 8, **settings)
        adapted = add_adapter(model)
        reference[f"{name}.lora.hidden"] = hidden_states(adapted.base_model.model.get_encoder(), features)
    save_file(reference, HERE / "reference.safetensors")
    for unused in ("mel80-lora/README.md", "mel80/generation_config.json"):
        (HERE / unused).unlink()


if __name__ == "__main__":
    main()
