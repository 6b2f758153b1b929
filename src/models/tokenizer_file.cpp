#include "tokenizer_file.hpp"

#include <fmt/format.h>

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <unordered_set>

#include "cinecortex/core/error.hpp"
#include "unicode.hpp"

namespace cinecortex::models {
namespace {

using nlohmann::json;

/// GPT-2's expression, which ByteLevel splits by where it is told to.
constexpr const char* byte_level_expression =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// A value and where it stands, for messages.
struct Node {
  const json* value;
  std::string place;

  [[noreturn]] void fail(const std::string& what) const {
    constexpr std::size_t longest = 60;
    const std::string text = value == nullptr ? "missing" : value->dump();
    throw InputError(
        fmt::format("{}: {}: {}", place,
                    well_formed_utf8(text.substr(0, longest)) + (text.size() > longest ? "…" : ""), what));
  }

  /// False where the key is missing or null.
  explicit operator bool() const { return value != nullptr; }

  Node operator[](const char* key) const {
    if (!value->is_object()) fail("allowed: an object {…}");
    const auto found = value->find(key);
    return {found == value->end() || found->is_null() ? nullptr : &*found,
            place.empty() ? key : fmt::format("{}.{}", place, key)};
  }

  std::vector<Node> items() const {
    if (value == nullptr || !value->is_array()) fail("allowed: a list […]");
    std::vector<Node> nodes;
    for (const auto& item : *value) nodes.push_back({&item, fmt::format("{}[{}]", place, nodes.size())});
    return nodes;
  }

  const std::string& text() const {
    if (value == nullptr || !value->is_string()) fail("allowed: a text");
    return value->get_ref<const std::string&>();
  }

  bool flag(bool missing) const {
    if (value == nullptr) return missing;
    if (!value->is_boolean()) fail("allowed: true, false");
    return value->get<bool>();
  }

  TokenId id() const {
    constexpr std::int64_t most = std::numeric_limits<TokenId>::max();
    if (value == nullptr || !value->is_number_integer() || value->get<double>() < 0 ||
        value->get<double>() > static_cast<double>(most)) {
      fail(fmt::format("allowed: a whole number from 0 to {}", most));
    }
    return value->get<TokenId>();
  }

  const std::string& type() const { return (*this)["type"].text(); }
};

/// The component itself, or those of a Sequence.
std::vector<Node> components(const Node& node, const char* list) {
  constexpr std::size_t most = 16;
  if (!node) return {};
  if (node.type() != "Sequence") return {node};
  auto parts = node[list].items();
  if (parts.size() > most) node.fail(fmt::format("allowed: at most {} components", most));
  return parts;
}

[[noreturn]] void unsupported(const Node& node, const char* supported) {
  throw InputError(
      fmt::format("{}: \"{}\" is not supported; supported: {}", node.place, node.type(), supported));
}

bool read_normalizer(const Node& node) {
  const auto parts = components(node, "normalizers");
  for (const auto& part : parts) {
    if (part.type() != "NFC") unsupported(part, "NFC, Sequence");
  }
  return !parts.empty();
}

SplitStep read_split(const Node& node) {
  const bool invert = node["invert"].flag(false);
  const auto& behavior = node["behavior"].text();
  if (behavior != "Isolated" && behavior != "Removed") {
    node["behavior"].fail("not supported; supported: Isolated, Removed");
  }
  const bool all = behavior == "Isolated";
  const auto pattern = node["pattern"];
  if (!pattern || !pattern["Regex"]) pattern.fail("not supported; supported: {\"Regex\": …}");
  return {
      .expression = pattern["Regex"].text(), .keep_matches = all || invert, .keep_between = all || !invert};
}

void read_byte_level(const Node& node, std::vector<SplitStep>& steps) {
  if (node["add_prefix_space"].flag(true)) steps.push_back({.kind = SplitStep::Kind::prefix_space});
  if (node["use_regex"].flag(true)) steps.push_back({.expression = byte_level_expression});
}

std::vector<SplitStep> read_pre_tokenizer(const Node& node) {
  std::vector<SplitStep> steps;
  bool bytes = false;
  for (const auto& part : components(node, "pretokenizers")) {
    if (bytes) part.fail("not supported behind ByteLevel, which has to be the last");
    const auto& type = part.type();
    bytes = type == "ByteLevel";
    if (bytes) {
      read_byte_level(part, steps);
    } else if (type == "Split") {
      steps.push_back(read_split(part));
    } else if (type == "Digits") {
      steps.push_back({.expression = part["individual_digits"].flag(false) ? R"(\p{N})" : R"(\p{N}+)"});
    } else {
      unsupported(part, "ByteLevel, Digits, Split, Sequence");
    }
  }
  if (!bytes) throw InputError("pre_tokenizer: without ByteLevel; only byte-level tokenizers are supported");
  return steps;
}

/// Puts the special tokens of a template around those that are there.
void read_template(const Node& node, TokenizerFile& file) {
  std::vector<TokenId> before, behind;
  bool text_seen = false;
  for (const auto& piece : node["single"].items()) {
    if (const auto sequence = piece["Sequence"]) {
      if (text_seen || sequence["id"].text() != "A") piece.fail("allowed: the sequence A, once");
      text_seen = true;
      continue;
    }
    const auto special = piece["SpecialToken"];
    if (!special) piece.fail("allowed: SpecialToken, Sequence");
    const auto& name = special["id"].text();
    const auto table = node["special_tokens"];
    const auto entry = table ? table[name.c_str()] : table;
    if (!entry) special.fail("is not in special_tokens");
    for (const auto& id : entry["ids"].items()) (text_seen ? behind : before).push_back(id.id());
  }
  if (!text_seen) node["single"].fail("the sequence A is missing");
  file.prefix.insert(file.prefix.begin(), before.begin(), before.end());
  file.suffix.insert(file.suffix.end(), behind.begin(), behind.end());
}

void read_post_processor(const Node& node, TokenizerFile& file) {
  for (const auto& part : components(node, "processors")) {
    if (part.type() == "TemplateProcessing") {
      read_template(part, file);
    } else if (part.type() != "ByteLevel") {  // which trims offsets, and leaves ids as they are
      unsupported(part, "ByteLevel, TemplateProcessing, Sequence");
    }
  }
}

void check_decoder(const Node& node) {
  const auto parts = components(node, "decoders");
  for (const auto& part : parts) {
    if (part.type() != "ByteLevel" || parts.size() > 1) unsupported(part, "one ByteLevel");
  }
  if (parts.empty()) throw InputError("decoder: missing; supported: ByteLevel");
}

std::vector<std::pair<std::string, std::string>> read_merges(const Node& node) {
  std::vector<std::pair<std::string, std::string>> merges;
  for (const auto& merge : node.items()) {
    if (merge.value->is_string()) {
      const auto& both = merge.text();
      const auto space = both.find(' ');
      if (space == std::string::npos || both.find(' ', space + 1) != std::string::npos) {
        merge.fail("allowed: two tokens with a space between");
      }
      merges.emplace_back(both.substr(0, space), both.substr(space + 1));
    } else {
      const auto parts = merge.items();
      if (parts.size() != 2) merge.fail("allowed: a list of two tokens");
      merges.emplace_back(parts[0].text(), parts[1].text());
    }
  }
  return merges;
}

void refuse_if_set(const Node& node) {
  if (!node || (node.value->is_string() && node.text().empty())) return;
  if (node.value->is_boolean() && !node.flag(false)) return;
  if (node.value->is_number() && node.value->get<double>() == 0) return;
  node.fail("not supported; allowed: null");
}

BytePairFile read_model(const Node& node) {
  if (!node) node.fail("not a tokenizer.json");
  if (node["type"] && node.type() != "BPE") unsupported(node, "BPE");
  for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"}) {
    refuse_if_set(node[key]);
  }
  BytePairFile model;
  const auto vocabulary = node["vocab"];
  if (!vocabulary || !vocabulary.value->is_object())
    vocabulary.fail("allowed: an object of tokens and their ids");
  std::unordered_set<TokenId> ids;
  for (const auto& [token, id] : vocabulary.value->items()) {
    const Node entry{&id, fmt::format("{}.\"{}\"", vocabulary.place, token)};
    if (!ids.insert(entry.id()).second) entry.fail("this id has another token too");
    model.vocabulary.emplace(token, entry.id());
  }
  model.merges = read_merges(node["merges"]);
  if (const auto unknown = node["unk_token"]) model.unknown = unknown.text();
  model.fuse_unknown = node["fuse_unk"].flag(false);
  model.ignore_merges = node["ignore_merges"].flag(false);
  return model;
}

std::vector<AddedToken> read_added_tokens(const Node& node, const BytePairFile& model) {
  if (!node) return {};
  std::unordered_map<TokenId, std::string> owners;
  for (const auto& [token, id] : model.vocabulary) owners.emplace(id, token);
  std::vector<AddedToken> special, others;
  for (const auto& item : node.items()) {
    AddedToken token{.id = item["id"].id(),
                     .content = item["content"].text(),
                     .single_word = item["single_word"].flag(false),
                     .lstrip = item["lstrip"].flag(false),
                     .rstrip = item["rstrip"].flag(false),
                     .normalized = item["normalized"].flag(true),
                     .special = item["special"].flag(false)};
    if (token.content.empty()) continue;  // the reference ignores it too
    const auto known = model.vocabulary.find(token.content);
    if (known != model.vocabulary.end() && known->second != token.id) {
      item.fail(fmt::format("the vocabulary has this token with the id {}", known->second));
    }
    const auto [owner, first] = owners.emplace(token.id, token.content);
    if (!first && owner->second != token.content)
      item.fail(fmt::format("this id is that of \"{}\"", owner->second));
    (token.special ? special : others).push_back(std::move(token));
  }
  special.insert(special.end(), std::make_move_iterator(others.begin()),
                 std::make_move_iterator(others.end()));
  return special;
}

json parse(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf())) throw InputError("cannot be read, or is empty");
  try {
    return json::parse(text.str());
  } catch (const json::exception& error) {
    throw InputError(fmt::format("not JSON: {}", error.what()));
  }
}

}  // namespace

TokenizerFile read_tokenizer_file(const std::filesystem::path& file) {
  try {
    const json document = parse(file);
    const Node root{&document, ""};
    TokenizerFile result;
    result.model = read_model(root["model"]);
    result.added = read_added_tokens(root["added_tokens"], result.model);
    result.nfc = read_normalizer(root["normalizer"]);
    result.steps = read_pre_tokenizer(root["pre_tokenizer"]);
    read_post_processor(root["post_processor"], result);
    check_decoder(root["decoder"]);
    return result;
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: {}", file.string(), error.what()));
  }
}

}  // namespace cinecortex::models
