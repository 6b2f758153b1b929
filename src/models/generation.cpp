#include "generation.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "cinecortex/core/error.hpp"

namespace cinecortex::models {
namespace {

void check(const Sampling& sampling, std::span<const std::int64_t> prompt) {
  const auto refuse = [](const char* name, auto value, const char* allowed) {
    throw InputError(fmt::format("{} = {}: allowed: {}", name, value, allowed));
  };
  if (prompt.empty()) throw InputError("nothing to continue: the prompt has no tokens");
  if (sampling.most_tokens < 0) refuse("most_tokens", sampling.most_tokens, "0 or more");
  if (!(sampling.temperature >= 0)) refuse("temperature", sampling.temperature, "0 or more");
  if (sampling.top_k < 0) refuse("top_k", sampling.top_k, "0 or more");
  if (!(sampling.top_p > 0 && sampling.top_p <= 1)) refuse("top_p", sampling.top_p, "above 0, up to 1");
}

/// A number in [0, 1) that is the same with every standard library.
double uniform(std::mt19937_64& random) {
  return static_cast<double>(random() >> 11) * 0x1p-53;
}

/// @param logits  [vocabulary]
std::int64_t draw(const at::Tensor& logits, const Sampling& sampling, std::mt19937_64& random) {
  if (sampling.temperature == 0) return logits.argmax().item<std::int64_t>();
  const auto scaled = logits.to(at::kCPU, at::kDouble) / sampling.temperature;
  auto [ordered, tokens] = scaled.sort(-1, /*descending=*/true);
  Index count = sampling.top_k > 0 ? std::min(sampling.top_k, ordered.size(0)) : ordered.size(0);
  const auto probabilities = ordered.narrow(0, 0, count).softmax(-1);
  const auto* p = probabilities.const_data_ptr<double>();
  double sum = 0;
  for (Index i = 0; i < count; ++i) {
    sum += p[i];
    if (sum >= sampling.top_p) count = i + 1;
  }
  double left = uniform(random) * sum;
  Index chosen = 0;
  while (chosen + 1 < count && left >= p[chosen]) left -= p[chosen++];
  return tokens[chosen].item<std::int64_t>();
}

}  // namespace

std::vector<std::int64_t> generate(const Decoder& decoder, std::span<const std::int64_t> prompt,
                                   const Sampling& sampling) {
  check(sampling, prompt);
  const c10::InferenceMode inference;
  std::mt19937_64 random(sampling.seed);
  KeyValueCache cache;
  std::vector<std::int64_t> unseen(prompt.begin(), prompt.end()), made;
  const Index last_layer = decoder.config().layers;
  while (static_cast<Index>(made.size()) < sampling.most_tokens) {
    const auto count = static_cast<Index>(unseen.size());
    const auto ids = at::tensor(unseen, at::kLong).unsqueeze(0);
    const auto last_token = at::tensor({count - 1}, at::kLong).unsqueeze(0);
    const auto states = decoder.hidden_states({.embeddings = decoder.embed(ids), .cache = &cache},
                                              {.layers = {last_layer}, .tokens = last_token});
    const auto token = draw(decoder.logits(states.at(0)).flatten().to(at::kFloat), sampling, random);
    if (std::find(sampling.stop.begin(), sampling.stop.end(), token) != sampling.stop.end()) break;
    made.push_back(token);
    unseen = {token};
  }
  return made;
}

}  // namespace cinecortex::models
