// Prompts and ids against those that make_internvl.py builds as one text and tokenises whole.
#include "internvl_prompt.hpp"

#include <ATen/core/Tensor.h>

#include "checkpoint.hpp"
#include "models_testing.hpp"
#include "tokenizer.hpp"

namespace cinecortex::models::internvl {
namespace {

std::filesystem::path folder() {
  return testing::parity_folder().parent_path() / "internvl";
}

Transcript transcript_of(const std::vector<std::string>& rows) {
  Transcript transcript;
  for (const auto& text : rows) transcript.push_back({text, {}, {}, {}});
  return transcript;
}

/// ROWS of make_internvl.py.
const Transcript& made_up_rows() {
  static const Transcript rows =
      transcript_of({"", "", "Hello there, ", "Megamind! ", "", "...what is the, the caf\u00e9 ",
                     "we've met... ", "", "", "", "and then \U0001f600 you "});
  return rows;
}

TEST(InternVlPrompt, PausesBecomeLineBreaks) {
  EXPECT_EQ(normalised_pauses(""), "");
  EXPECT_EQ(normalised_pauses("..."), "\n");
  EXPECT_EQ(normalised_pauses("........"), "\n");
  EXPECT_EQ(normalised_pauses("........."), "\n\n");
  EXPECT_EQ(normalised_pauses(std::string(30, '.')), "\n\n");
  EXPECT_EQ(normalised_pauses("a.b..c...d"), "a.b..c\nd");
  EXPECT_EQ(normalised_pauses("Hello there ......How are  "), "Hello there \nHow are");
  EXPECT_EQ(normalised_pauses("   "), "");
}

TEST(InternVlPrompt, HistoryAndOwnWordsShareTheBudget) {
  const auto rows = transcript_of({"one two ", "three ", "", "four five "});
  EXPECT_EQ(prompt_text(rows, 0, 1000).history, "");
  EXPECT_EQ(prompt_text(rows, 0, 1000).own, "one two");
  EXPECT_EQ(prompt_text(rows, 3, 1000).history, "one two three \n");
  EXPECT_EQ(prompt_text(rows, 3, 1000).own, "four five");
  EXPECT_EQ(prompt_text(rows, 2, 1000).history, "one two three");
  EXPECT_EQ(prompt_text(rows, 2, 1000).own, "\n") << "a silent TR";
  // "one two three ..." has four words between spaces, of which the last is the pause.
  EXPECT_EQ(prompt_text(rows, 3, 5).history, "two three \n");
  EXPECT_EQ(prompt_text(rows, 3, 3).history, "\n");
  EXPECT_EQ(prompt_text(rows, 3, 2).history, "") << "nothing left";
  EXPECT_EQ(prompt_text(rows, 3, 1).own, "four five") << "the TR's words are never cut";
}

TEST(InternVlPrompt, RowsBeyondTheTranscriptAreSilent) {
  const auto rows = transcript_of({"one ", " \t"});
  EXPECT_EQ(prompt_text(rows, 1, 10).own, "\n") << "blank text counts as none";
  EXPECT_EQ(prompt_text(rows, 4, 10).own, "\n");
  EXPECT_EQ(prompt_text(rows, 4, 10).history, "one \n\n") << "nine dots";
  EXPECT_EQ(prompt_text({}, 1, 10).history, "\n");
}

class InternVlIds : public ::testing::Test {
 protected:
  std::vector<std::int64_t> encode(std::string_view text) const { return tokenizer_.encode(text, false); }
  Prompt prompt(const PromptText& text, Index pictures = 8) const {
    return make_prompt(text, pictures, tokens_, [this](std::string_view piece) { return encode(piece); });
  }
  std::string text_of(const Prompt& prompt, Range tokens) const {
    return tokenizer_.decode({prompt.ids.data() + tokens.begin, static_cast<std::size_t>(tokens.size())});
  }

  Tokenizer tokenizer_{folder() / "layernorm" / "tokenizer.json"};
  PictureTokens tokens_{.begin = *tokenizer_.id("<img>"),
                        .context = *tokenizer_.id("<IMG_CONTEXT>"),
                        .end = *tokenizer_.id("</img>"),
                        .count = 4};
};

TEST_F(InternVlIds, EqualThoseOfTheWholeTextTokenisedAtOnce) {
  const Checkpoint expected(folder() / "expected.safetensors");
  for (const Index words : {1000, 6}) {
    for (Index row = 0; row < std::ssize(made_up_rows()); ++row) {
      const auto name = "prompt." + std::to_string(words) + "." + std::to_string(row);
      const at::Tensor ids = expected.tensor(name, expected.shape(name));
      const std::vector<std::int64_t> reference(ids.const_data_ptr<std::int64_t>(),
                                                ids.const_data_ptr<std::int64_t>() + ids.numel());
      EXPECT_EQ(prompt(prompt_text(made_up_rows(), row, words)).ids, reference) << name;
    }
  }
}

TEST_F(InternVlIds, PicturesAreWhereTheirTokensAre) {
  const Prompt one = prompt(prompt_text(made_up_rows(), 6, 1000));
  ASSERT_EQ(one.pictures.size(), 8u);
  Index context = 0;
  for (const auto id : one.ids) context += id == tokens_.context ? 1 : 0;
  EXPECT_EQ(context, 32);
  for (const Index begin : one.pictures) {
    EXPECT_EQ(one.ids[static_cast<std::size_t>(begin) - 1], tokens_.begin);
    EXPECT_EQ(one.ids[static_cast<std::size_t>(begin)], tokens_.context);
    EXPECT_EQ(one.ids[static_cast<std::size_t>(begin) + 4], tokens_.end);
  }
}

TEST_F(InternVlIds, OwnTokensBeginBehindTheLineBreakAfterTheLastPicture) {
  const auto own = [&](const std::string& text) {
    const Prompt one = prompt({"before", text}, 2);
    EXPECT_EQ(one.own.end, std::ssize(one.ids)) << text;
    EXPECT_GT(one.own.size(), 0) << text;
    return text_of(one, one.own);
  };
  EXPECT_EQ(own("Hello there"), "Hello there");
  EXPECT_EQ(own(" Hello there"), " Hello there") << "a space stays with its word";
  EXPECT_EQ(own("caf\u00e9"), "caf\u00e9") << "a letter of several tokens";
  // The line break of the prompt and those of the text are one token: it is the TR's only one, or in front of its words.
  EXPECT_EQ(encode("\n\n").size(), 1u);
  EXPECT_EQ(own("\n"), "\n\n") << "a silent TR";
  EXPECT_EQ(own("\nwhat"), "what") << "a pause before words";
  EXPECT_EQ(own("what\n"), "what\n");
}

}  // namespace
}  // namespace cinecortex::models::internvl
