#include "tokenizer.hpp"

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "byte_alphabet.hpp"
#include "byte_pairs.hpp"
#include "cinecortex/core/clock.hpp"
#include "models_testing.hpp"
#include "temp_folder.hpp"
#include "text_pattern.hpp"
#include "unicode.hpp"

namespace cinecortex::models {
namespace {

using cinecortex::testing::TempFolder;
using nlohmann::json;
using testing::expect_message;
using testing::message_of;

const std::vector<std::string> fixtures{"llama3", "qwen2", "gpt2", "smollm2", "odd"};

std::filesystem::path fixture(const std::string& name) {
  return testing::parity_folder() / ("tokenizer_" + name + ".json");
}

std::string read_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A fixture with something changed, as a file.
std::filesystem::path changed(const TempFolder& folder, const std::string& name, const std::string& pointer,
                              const json& value) {
  json document = json::parse(read_file(fixture(name)));
  document[json::json_pointer(pointer)] = value;
  std::ofstream(folder / "tokenizer.json") << document;
  return folder / "tokenizer.json";
}

TEST(Tokenizer, GivesTheReferencesIds) {
  const json cases = json::parse(read_file(testing::parity_folder() / "tokenizer_texts.json"));
  ASSERT_GT(cases.size(), 500u);
  for (const auto& name : fixtures) {
    const Tokenizer tokenizer(fixture(name));
    for (const auto& item : cases) {
      const auto ids = tokenizer.encode(item["text"].get<std::string>());
      ASSERT_EQ(ids, item[name].get<std::vector<std::int64_t>>()) << name << ": " << item["text"];
    }
  }
}

TEST(Tokenizer, DecodesToTheSameText) {
  const json cases = json::parse(read_file(testing::parity_folder() / "tokenizer_texts.json"));
  for (const std::string name : {"llama3", "gpt2", "smollm2"}) {  // which change no text
    const Tokenizer tokenizer(fixture(name));
    for (const auto& item : cases) {
      const auto text = item["text"].get<std::string>();
      ASSERT_EQ(tokenizer.decode(tokenizer.encode(text, false), false), text) << name;
    }
  }
}

TEST(Tokenizer, LeavesSpecialTokensOutWhereAsked) {
  const Tokenizer tokenizer(fixture("llama3"));
  const auto begin = tokenizer.id("<|begin_of_text|>");
  ASSERT_TRUE(begin.has_value());
  const auto with = tokenizer.encode("well<|eot_id|>then");
  const auto without = tokenizer.encode("well<|eot_id|>then", false);
  ASSERT_EQ(with.front(), *begin);
  EXPECT_EQ(std::vector(with.begin() + 1, with.end()), without);
  EXPECT_EQ(tokenizer.decode(with), "wellthen");
  EXPECT_EQ(tokenizer.decode(with, false), "<|begin_of_text|>well<|eot_id|>then");
  const std::vector<std::int64_t> strange{-1, *begin, 1 << 30};
  EXPECT_EQ(tokenizer.decode(strange), "");
  EXPECT_EQ(tokenizer.id("no such token"), std::nullopt);
  EXPECT_EQ(tokenizer.id("Ġnobody"), tokenizer.encode(" nobody", false).at(0));
}

TEST(Tokenizer, IllFormedTextCountsAsReplacementCharacters) {
  // The example of the Unicode standard, table 3-11, and what Python makes of the rest.
  EXPECT_EQ(well_formed_utf8("a\xF1\x80\x80\xE1\x80\xC2"
                             "b\x80"
                             "c\x80\xBF"
                             "d"),
            "a\uFFFD\uFFFD\uFFFDb\uFFFDc\uFFFD\uFFFDd");
  EXPECT_EQ(well_formed_utf8("\xF0\x80\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(well_formed_utf8("\xED\xA0\x80\xF4\x90\xC0\xFF\xE2\x82"),
            "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(well_formed_utf8("h\u00e9 \U0001F600"), "h\u00e9 \U0001F600");
  for (const auto& name : fixtures) {
    const Tokenizer tokenizer(fixture(name));
    EXPECT_EQ(tokenizer.encode("a\xFFz\xC3"), tokenizer.encode("a\uFFFDz\uFFFD")) << name;
  }
}

TEST(Tokenizer, ReadsMergesInBothForms) {
  const TempFolder folder;
  json merges = json::array();
  const json document = json::parse(read_file(fixture("llama3")));
  for (const auto& pair : document["model"]["merges"]) {
    merges.push_back(pair[0].get<std::string>() + " " + pair[1].get<std::string>());
  }
  const Tokenizer lists(fixture("llama3")), texts(changed(folder, "llama3", "/model/merges", merges));
  const std::string text = "The movie begins at night; nobody's talking";
  EXPECT_EQ(lists.encode(text), texts.encode(text));
  EXPECT_LT(texts.encode(text).size(), text.size() / 2);
}

TEST(Tokenizer, TemplatesWrapOneAnother) {
  const TempFolder folder;
  const json sequence = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const auto special = [](const char* name) {
    return json{{"SpecialToken", {{"id", name}, {"type_id", 0}}}};
  };
  const json table = {{"<i>", {{"id", "<i>"}, {"ids", {1, 2}}, {"tokens", {"a", "b"}}}},
                      {"<o>", {{"id", "<o>"}, {"ids", {3}}, {"tokens", {"c"}}}}};
  const json inner = {{"type", "TemplateProcessing"},
                      {"single", {special("<i>"), sequence, special("<i>")}},
                      {"special_tokens", table}};
  const json outer = {
      {"type", "TemplateProcessing"}, {"single", {special("<o>"), sequence}}, {"special_tokens", table}};
  const Tokenizer tokenizer(
      changed(folder, "gpt2", "/post_processor", {{"type", "Sequence"}, {"processors", {inner, outer}}}));
  EXPECT_EQ(tokenizer.encode(""), (std::vector<std::int64_t>{3, 1, 2, 1, 2}));
  EXPECT_TRUE(tokenizer.encode("", false).empty());
}

TEST(Tokenizer, RefusesByNameWhatItDoesNotKnow) {
  struct Case {
    const char *name, *pointer;
    json value;
    std::vector<std::string> message;
  };
  const json byte_level = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}};
  const std::vector<Case> cases{
      {"gpt2", "/model/type", "Unigram", {"model: \"Unigram\" is not supported", "BPE"}},
      {"gpt2", "/model/byte_fallback", true, {"model.byte_fallback: true"}},
      {"gpt2", "/model/dropout", 0.1, {"model.dropout: 0.1"}},
      {"gpt2", "/model/end_of_word_suffix", "</w>", {"model.end_of_word_suffix", "</w>"}},
      {"gpt2", "/model/unk_token", "<nothing>", {"unk_token \"<nothing>\""}},
      {"gpt2", "/model/vocab/!", -1, {"model.vocab.\"!\": -1", "0 to 2147483647"}},
      {"gpt2", "/model/vocab/!", 1e30, {"model.vocab.\"!\""}},
      {"gpt2", "/model/vocab/!", 7, {"7: this id has another token too"}},
      {"gpt2", "/model/vocab", json::array(), {"model.vocab: []"}},
      {"gpt2", "/model/merges/3", "Ġ", {"model.merges[3]: \"Ġ\"", "with a space between"}},
      {"gpt2", "/model/merges/3", {"a"}, {"model.merges[3]", "two tokens"}},
      {"gpt2", "/model/merges/3", {"a", "Ġ"}, {"merges[3]: \"aĠ\" is not in the vocabulary"}},
      {"gpt2", "/model", nullptr, {"model: missing", "not a tokenizer.json"}},
      {"qwen2", "/normalizer/type", "Lowercase", {"normalizer: \"Lowercase\" is not supported", "NFC"}},
      {"gpt2", "/pre_tokenizer/type", "Metaspace", {"pre_tokenizer: \"Metaspace\"", "ByteLevel"}},
      {"gpt2", "/pre_tokenizer", nullptr, {"pre_tokenizer: without ByteLevel"}},
      {"smollm2",
       "/pre_tokenizer/pretokenizers/0",
       byte_level,
       {"pre_tokenizer.pretokenizers[1]", "behind ByteLevel"}},
      {"llama3",
       "/pre_tokenizer/pretokenizers/0/behavior",
       "MergedWithNext",
       {"[0].behavior: \"MergedWithNext\""}},
      {"llama3",
       "/pre_tokenizer/pretokenizers/0/pattern",
       {{"String", " "}},
       {"[0].pattern: {\"String\":\" \"}"}},
      {"llama3",
       "/pre_tokenizer/pretokenizers/0/pattern/Regex",
       "(a",
       {"\"(a\" is not a regular expression"}},
      {"llama3", "/pre_tokenizer/pretokenizers/0/pattern/Regex", "\\w+", {"\"\\w+\" has \\w at byte 1"}},
      {"llama3",
       "/post_processor/processors/1/single/0/SpecialToken/id",
       "<x>",
       {"processors[1]", "\"<x>\"", "special_tokens"}},
      {"llama3",
       "/post_processor/processors/0/type",
       "BertProcessing",
       {"\"BertProcessing\" is not supported"}},
      {"gpt2", "/decoder/type", "WordPiece", {"decoder: \"WordPiece\" is not supported"}},
      {"gpt2", "/decoder", nullptr, {"decoder: missing"}},
      {"gpt2", "/added_tokens/0/id", 3, {"added_tokens[0]", "this id is that of \"$\""}},
      {"gpt2",
       "/added_tokens/0/content",
       "$",
       {"added_tokens[0]", "the vocabulary has this token with the id 3"}},
      {"gpt2", "/added_tokens/0/lstrip", 1, {"added_tokens[0].lstrip: 1", "true, false"}}};
  for (const auto& item : cases) {
    const TempFolder folder;
    const auto file = changed(folder, item.name, item.pointer, item.value);
    SCOPED_TRACE(item.pointer);
    expect_message([&] { Tokenizer{file}; }, item.message);
    expect_message([&] { Tokenizer{file}; }, {file.string()});
  }
  const TempFolder folder;
  expect_message([&] { Tokenizer{folder / "none.json"}; }, {"none.json", "cannot be read"});
  std::ofstream(folder / "half.json") << read_file(fixture("gpt2")).substr(0, 1000);
  expect_message([&] { Tokenizer{folder / "half.json"}; }, {"half.json: not JSON"});
}

/// The parts that come out of splitting at matches of an expression, as it is done for words.
std::vector<std::string> matches(const TextPattern& pattern, std::string_view text) {
  std::vector<std::string> found;
  for (std::size_t at = 0; at < text.size();) {
    const auto match = pattern.find(text, at);
    if (!match) break;
    found.emplace_back(text.substr(match->begin, match->end - match->begin));
    at = match->end;
  }
  return found;
}

TEST(TextPattern, HasOnigurumasWhiteSpace) {
  const TextPattern space(R"(\s+)"), other(R"(\S+)"), in_class(R"([^\s\p{L}]+)");
  EXPECT_EQ(matches(space, "a\u00a0\u2003\tb\u180ec\u3000"),
            (std::vector<std::string>{"\u00a0\u2003\t", "\u3000"}));
  EXPECT_EQ(matches(other, "a\u0085\u180eb "), (std::vector<std::string>{"a", "\u180eb"}));
  EXPECT_EQ(matches(in_class, "a1\u180e b\u20282"), (std::vector<std::string>{"1\u180e", "2"}));
}

TEST(TextPattern, RefusesWhatTheLibrariesReadDifferently) {
  for (const char* expression : {"^a", "a$", "\\h", "\\bword", "[a[b]]", "[a&&b]", "a{1,2}+", "(?m:a.)",
                                 "(*FAIL)", "[]a]", "\\pL", "[\\S]", "a\\", "(?R)"}) {
    expect_message([&] { TextPattern{expression}; }, {expression, "not supported"});
  }
  expect_message([] { TextPattern{"a*"}; }, {"\"a*\"", "empty text"});
}

TEST(Nfc, ComposesAndSortsMarks) {
  EXPECT_EQ(nfc("plain"), "plain");
  EXPECT_EQ(nfc("e\u0301"), "\u00e9");
  EXPECT_EQ(nfc("q\u0307\u0323"), "q\u0323\u0307");
  EXPECT_EQ(nfc("\u212b \u0958 \u1100\u1161\u11a8"), "\u00c5 \u0915\u093c \uac01");
}

/// Merging by its definition: the best pair of all, the leftmost of equals, again and again.
std::vector<std::int64_t> plainly_merged(const BytePairFile& file, const std::string& word) {
  std::vector<std::string> parts;
  for (const char c : word) parts.emplace_back(1, c);
  for (;;) {
    std::size_t best_rank = file.merges.size(), best = 0;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      for (std::size_t rank = 0; rank < best_rank; ++rank) {
        if (file.merges[rank] == std::pair(parts[i], parts[i + 1])) best_rank = rank, best = i;
      }
    }
    if (best_rank == file.merges.size()) break;
    parts[best] += parts[best + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
  std::vector<std::int64_t> ids;
  for (const auto& part : parts) ids.push_back(file.vocabulary.at(part));
  return ids;
}

TEST(BytePairs, MergeByRankThenFromTheLeft) {
  std::mt19937 random(5);
  for (int round = 0; round < 20; ++round) {
    BytePairFile file;
    std::vector<std::string> tokens{"a", "b", "c"};
    for (const auto& token : tokens)
      file.vocabulary.emplace(token, static_cast<TokenId>(file.vocabulary.size()));
    while (file.merges.size() < 40) {
      const auto left = tokens[random() % tokens.size()], right = tokens[random() % tokens.size()];
      const std::pair merge(left, right);
      if (std::find(file.merges.begin(), file.merges.end(), merge) != file.merges.end()) continue;
      file.merges.push_back(merge);
      if (file.vocabulary.emplace(left + right, static_cast<TokenId>(file.vocabulary.size())).second) {
        tokens.push_back(left + right);
      }
    }
    const BytePairs pairs(file);
    for (int i = 0; i < 50; ++i) {
      std::string word;
      for (std::size_t length = 1 + random() % 30; word.size() < length;) word += "abc"[random() % 3];
      std::vector<std::int64_t> ids;
      pairs.encode(word, ids);
      ASSERT_EQ(ids, plainly_merged(file, word)) << word;
    }
  }
}

TEST(Tokenizer, TakesAMegabyteWithoutSpacesInItsStride) {
  for (const auto& name : fixtures) {
    const Tokenizer tokenizer(fixture(name));
    for (const std::string part : {"a", "th", "漢", "1", " ", "\n ", "'", "\u0301\u0323", "<|eot_id|"}) {
      std::string text;
      while (text.size() < 1'000'000) text += part;
      const Stopwatch clock;
      const auto ids = tokenizer.encode(text, false);
      EXPECT_LT(clock.seconds(), 5.0) << name << ": " << part;  // quadratic work would take hours
      EXPECT_FALSE(ids.empty());
    }
  }
}

TEST(Tokenizer, ChangedFilesAreReadOrRefused) {
  const TempFolder folder;
  std::mt19937 random(11);
  std::size_t read = 0, refused = 0;
  for (int round = 0; round < 400; ++round) {
    std::string content = read_file(fixture(fixtures[static_cast<std::size_t>(round) % fixtures.size()]));
    // Most of a file is its vocabulary: half of the changes go elsewhere.
    const std::size_t head = std::min(content.find("\"vocab\""), content.size());
    for (std::size_t changes = 1 + random() % 2; changes > 0; --changes) {
      const std::size_t at = random() % (random() % 2 == 0 ? head : content.size());
      switch (random() % 4) {
        case 0:
          content[at] = static_cast<char>(random());
          break;
        case 1:
          content.erase(at, 1 + random() % 20);
          break;
        case 2:
          content.insert(at, content.substr(random() % content.size(), random() % 40));
          break;
        default:
          content[at] = "0123456789{}[]\",:\\"[random() % 18];
      }
    }
    std::ofstream(folder / "tokenizer.json", std::ios::binary) << content;
    try {
      const Tokenizer tokenizer(folder / "tokenizer.json");
      tokenizer.decode(tokenizer.encode("It's 12 o'clock,  <|endoftext|> Å e\u0301 漢\n\n"));
      ++read;
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(read, 10u);
  EXPECT_GT(refused, 100u);
}

}  // namespace
}  // namespace cinecortex::models
