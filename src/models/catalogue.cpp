#include <limits>

#include "cinecortex/models/extractor.hpp"
#include "cinecortex/models/motion_energy.hpp"
#include "options.hpp"

/// What every model is called, what it does and which options it has. Nothing of the models themselves is needed here, so
/// that a program without them reads the same experiment files.
namespace cinecortex::models {
namespace {

OptionInfo type_option() {
  return choice_option(
      "type", "auto", {"auto", "float32", "bfloat16", "float16"},
      "numbers to compute with: auto is bfloat16 on a GPU, float32 on the CPU; float16 on a GPU only");
}

OptionInfo gpus_option() {
  auto option =
      integer_option("gpus", 1, 1, 64, "GPUs over which the layers are split, beginning with the rank's own");
  option.changes_features = false;
  return option;
}

OptionInfo batch_option(const std::string& items) {
  auto option = integer_option("batch", 0, 0, 4096,
                               items + " at once; 0: chosen from free memory on a GPU, 1 on the CPU");
  option.changes_features = false;
  return option;
}

std::vector<OptionInfo> script_feed_options() {
  return {
      choice_option("input", "frames", {"frames", "audio", "tokens"},
                    "what the module is fed: frames of the TR, sound or text up to the TR's end"),
      integer_option("frames", 8, 1, 1024, "frames: number a TR, at the midpoints of equal parts"),
      integer_option("height", 224, 1, 4096, "frames: height, pixels"),
      integer_option("width", 224, 1, 4096, "frames: width, pixels"),
      choice_option("fit", "crop", {"crop", "stretch"},
                    "frames: scale the short side and crop the centre, or stretch the picture"),
      choice_option(
          "layout", "btchw", {"btchw", "bcthw", "bchw"},
          "frames: order of batch, time, channel (red, green, blue), height, width; bchw: frames = 1"),
      reals_option("mean", {0.485, 0.456, 0.406}, -1e6, 1e6,
                   "frames: subtracted from values in 0 … 1, one number or one a channel"),
      reals_option("std", {0.229, 0.224, 0.225}, 1e-6, 1e6,
                   "frames: divided by, one number or one a channel"),
      real_option("context_s", 29, 0.01, 3600,
                  "audio: length of the window, s; float32 [B, 16000 · context_s]"),
      integer_option("token_window", 512, 1, 1 << 20,
                     "tokens: UTF-8 bytes of text, int64 [B, token_window]; 0 in front of a shorter text")};
}

ModelInfo motion_energy_info() {
  const MotionEnergySettings d;
  constexpr double tiny = 1e-3, any = std::numeric_limits<double>::infinity();
  return {.name = "motion_energy",
          .help =
              "spatio-temporal Gabor pyramid (Nishimoto et al. 2011; values of pymoten), mean over the TR's "
              "frames",
          .needs_weights = false,
          .options = {
              integer_option("height", d.height, 8, 2048,
                             "height of the frames, pixels (the picture is stretched)"),
              integer_option("width", d.width, 8, 2048, "width of the frames, pixels"),
              integer_option("fps", d.fps, 2, 240, "frames per second that are looked at"),
              reals_option("temporal_frequencies_hz", d.temporal_frequencies_hz, 0, 120,
                           "temporal frequencies, Hz"),
              reals_option(
                  "spatial_frequencies", d.spatial_frequencies, 0, 1024,
                  "spatial frequencies, cycles per image height; 0 adds the mean luminance of each place"),
              reals_option("directions", d.directions, 0, 359.999,
                           "directions of motion, degrees; 0 is rightwards"),
              real_option("sf_gauss_ratio", d.sf_gauss_ratio, tiny, any,
                          "spatial envelope's s.d. × spatial frequency"),
              real_option("max_spatial_env", d.max_spatial_env, tiny, any,
                          "widest spatial envelope, s.d. in image heights"),
              real_option("filter_spacing", d.filter_spacing, tiny, any,
                          "distance of neighbouring filters, s.d. of their envelope"),
              real_option("tf_gauss_ratio", d.tf_gauss_ratio, tiny, any,
                          "temporal envelope's s.d. × temporal frequency"),
              real_option("max_temporal_env", d.max_temp_env, tiny, any,
                          "longest temporal envelope, s.d. in filter lengths"),
              flag_option("include_edges", d.include_edges,
                          "a further ring of filters, partly outside of the image"),
              integer_option("filter_width", d.filter_width, 0, 1000,
                             "length of a filter, frames; 0: two thirds of a second"),
              choice_option("compress", "log", {"log", "none"},
                            "each frame's energy before the mean: ln(energy + 1e-5), or as it is")}};
}

ModelInfo audio_energy_info() {
  constexpr double nyquist_hz = 8000;  // the sound comes at 16 kHz
  return {.name = "audio_energy",
          .help = "log-mel bands of the sound: mean and standard deviation of each over the TR",
          .needs_weights = false,
          .options = {
              integer_option("bands", 64, 1, 512, "mel bands"),
              real_option("window_ms", 25, 2, 1000, "length of the Hann window, ms"),
              real_option("hop_ms", 10, 1, 1000, "distance of neighbouring windows, ms"),
              choice_option("mel", "slaney", {"slaney", "htk"},
                            "mel scale: slaney (linear below 1 kHz; bands of equal area), or htk (bands of "
                            "equal height)"),
              real_option("f_min_hz", 0, 0, nyquist_hz, "lower end of the first band, Hz"),
              real_option("f_max_hz", nyquist_hz, 0, nyquist_hz, "upper end of the last band, Hz")}};
}

ModelInfo word_rate_info() {
  return {
      .name = "word_rate",
      .help = "per TR: words, characters, fraction of speech, mean, s.d. and maximum of the words' lengths",
      .needs_weights = false,
      .options = {}};
}

ModelInfo torchscript_info() {
  auto options = script_feed_options();
  options.push_back(integer_option("batch", 8, 1, 4096, "TRs that go through the module at once"));
  return {
      .name = "torchscript",
      .help =
          "any module saved by torch.jit.save: one tensor in, one tensor [B, …] out, flattened to a row a TR",
      .needs_weights = true,
      .options = std::move(options)};
}

ModelInfo whisper_info() {
  return {
      .name = "whisper",
      .help = "Whisper's encoder on the sound up to the TR's end: states of some blocks at tokens of the TR",
      .needs_weights = true,
      .options = {
          reals_option("layers", {0, 4, 7, 11}, 0, 1023, "blocks whose output is taken, from 0, ascending"),
          integer_option("tokens", 18, 1, 1500, "tokens a block, evenly spaced over the TR"),
          real_option("context_s", 29, 0.1, 30, "sound that the network hears, up to the TR's end, s"),
          type_option(), batch_option("TRs"),
          text_option("adapter", "", "folder of a LoRA adapter (peft) for these weights")}};
}

ModelInfo llama_info() {
  return {
      .name = "llama",
      .help = "a language model (Llama, Qwen2, SmolLM2) on the words up to the TR: states at the last tokens",
      .needs_weights = true,
      .options = {reals_option("layers", {0, 11, 21, 32}, 0, 10'000,
                               "hidden states: 0 the embedding, the last after the final norm, ascending"),
                  integer_option("tokens", 7, 1, 4096,
                                 "last tokens of the text; the first is repeated in front "
                                 "where there are fewer"),
                  integer_option("words", 1000, 1, 1'000'000, "most words of the run's text up to the TR"),
                  type_option(), batch_option("texts, where none continues another,"), gpus_option(),
                  text_option("adapter", "", "folder of a LoRA adapter (peft) for these weights")}};
}

ModelInfo internvl_info() {
  return {
      .name = "internvl",
      .help = "InternVL3 on the pictures of the TR and the words up to its end; readings img, text and vit",
      .needs_weights = true,
      .options = {
          reals_option(
              "layers", {23, 22, 21, 12}, 0, 1023,
              "text: blocks of the language model, from 0, whose output is taken beside the final norm's"),
          integer_option("frames", 8, 1, 64, "pictures of a TR, at the midpoints of equal parts"),
          integer_option("tokens", 10, 1, 1000,
                         "text: most tokens of the TR's words, from the last, that are averaged"),
          integer_option("words", 1000, 1, 100000, "words of the prompt, up to the TR's last"), type_option(),
          batch_option("TRs whose pictures are encoded"), gpus_option(),
          text_option("adapter", "", "folder of a LoRA adapter (peft) for these weights")}};
}

ModelInfo slow_r50_info() {
  return {.name = "slow_r50",
          .help =
              "pytorchvideo's action classifier slow_r50 on 8 frames of the TR at 256 × 256 pixels: pooled "
              "features of "
              "its last stage (blocks.5.pool)",
          .needs_weights = true,
          .options = {type_option(), batch_option("TRs"),
                      text_option("adapter", "", "folder of a LoRA adapter (peft) for these weights")}};
}

}  // namespace

const std::vector<ModelInfo>& model_catalogue() {
  static const std::vector<ModelInfo> catalogue{motion_energy_info(), audio_energy_info(), word_rate_info(),
                                                torchscript_info(),   whisper_info(),      llama_info(),
                                                internvl_info(),      slow_r50_info()};
  return catalogue;
}

}  // namespace cinecortex::models
