// Greedy continuations by a decoder: the counterpart of check_smollm2.py, which starts it.
//   generate WEIGHTS TOKENS
// In: a prompt a line, token ids joined by spaces. Out: a line of the TOKENS next ids each.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "generation.hpp"

int main(int argc, char** argv) try {
  using namespace cinecortex::models;
  if (argc != 3) return 2;
  const Checkpoint weights(argv[1]);
  const Decoder decoder(weights, DecoderConfig::read(weights.config()), DecoderNames::find(weights), {},
                        Decoder::Head::logits);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream numbers(line);
    const std::vector<std::int64_t> prompt(std::istream_iterator<std::int64_t>(numbers), {});
    fmt::print("{}\n", fmt::join(generate(decoder, prompt, {.most_tokens = std::atoll(argv[2])}), " "));
  }
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "{}\n", error.what());
  return 1;
}
