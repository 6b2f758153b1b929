#include "cinecortex/io/tsv.hpp"

#include "io_support.hpp"

namespace cinecortex::io {
namespace {

using Strings = std::vector<std::string>;
using Numbers = std::vector<double>;

class Tsv : public test::Folder {};

TEST_F(Tsv, ATranscriptThatPandasWrote) {
  const TsvTable table = read_tsv(test::fixture("table.tsv"));
  EXPECT_EQ(table.columns, (Strings{"text_per_tr", "words_per_tr", "onsets_per_tr"}));
  ASSERT_EQ(table.rows.size(), 4u);
  std::ifstream expected(test::fixture("table.txt"));
  std::string line;
  Strings words;
  Strings texts;
  for (const auto& row : table.rows) {
    const auto list = parse_string_list(row[table.column("words_per_tr")], "words");
    words.insert(words.end(), list.begin(), list.end());
    std::string joined;
    for (const auto& word : list) joined += word;
    EXPECT_EQ(row[0], joined);
    // Written again, the list is Python's own repr, to the byte.
    EXPECT_EQ(format_string_list(list), row[1]);
    EXPECT_EQ(format_number_list(parse_number_list(row[2], "onsets")), row[2]);
  }
  for (const auto& word : words) {
    std::getline(expected, line);
    std::string hex;
    for (const char c : word) {
      constexpr char digits[] = "0123456789abcdef";
      (hex += digits[static_cast<unsigned char>(c) >> 4]) += digits[c & 15];
    }
    EXPECT_EQ(hex, line);
  }
  EXPECT_FALSE(std::getline(expected, line));
}

TEST_F(Tsv, QuotesLineBreaksBlankLinesAndMarks) {
  const TsvTable table = parse_tsv(
      "\xEF\xBB\xBF"
      "a\tb\r\n\r\n1\t\"x\ty\n\"\"z\"\"\"\r\n\n\t\nq\"r\"\t\"s\"t",
      "t");
  EXPECT_EQ(table.columns, (Strings{"a", "b"}));
  ASSERT_EQ(table.rows.size(), 3u);
  EXPECT_EQ(table.rows[0], (Strings{"1", "x\ty\n\"z\""}));
  EXPECT_EQ(table.rows[1], (Strings{"", ""}));
  EXPECT_EQ(table.rows[2], (Strings{"q\"r\"", "st"}));
  EXPECT_EQ(table.lines, (std::vector<std::size_t>{3, 6, 7}));
  EXPECT_EQ(parse_tsv("only\n\"\"\n", "t").rows, (std::vector<Strings>{{""}}));
  EXPECT_TRUE(parse_tsv("a\tb\n", "t").rows.empty());
}

TEST_F(Tsv, WhatIsWrongIsNamedWithItsLine) {
  EXPECT_INPUT_ERROR(read_tsv(file("missing.tsv")), "missing.tsv cannot be opened");
  EXPECT_INPUT_ERROR(read_tsv(folder_), "is a folder");
  EXPECT_INPUT_ERROR(read_tsv(write("e.tsv", "")), "without a header");
  EXPECT_INPUT_ERROR(parse_tsv("a\tb\n1\t2\n\n1\t2\t3\n", "t.tsv"),
                     "t.tsv, line 4: 3 fields, but the header has 2");
  EXPECT_INPUT_ERROR(parse_tsv("a\tb\n1\t2\nx\n", "t"), "line 3: 1 fields");
  EXPECT_INPUT_ERROR(parse_tsv("a\tb\n1\t\"2\n3\t4\n", "t"), "line 2: a quote (\") is never closed");
  EXPECT_INPUT_ERROR(parse_tsv("a\nb\xff\n", "t"), "line 2: the byte 0xff is not UTF-8");
  EXPECT_INPUT_ERROR(parse_tsv("a\tb\n", "t").column("c"), "no column 'c'; the columns are a, b");
  EXPECT_INPUT_ERROR(parse_tsv("a\ta\n", "t").column("a"), "several columns 'a'");
}

TEST_F(Tsv, FieldsAreQuotedOnlyWhereNeeded) {
  EXPECT_EQ(quote_tsv("plain, text"), "plain, text");
  EXPECT_EQ(quote_tsv("a\tb"), "\"a\tb\"");
  EXPECT_EQ(quote_tsv("say \"x\""), "\"say \"\"x\"\"\"");
  EXPECT_EQ(parse_tsv("h\n" + quote_tsv("l1\nl2 \"q\"\t") + "\n", "t").rows[0][0], "l1\nl2 \"q\"\t");
}

TEST(PythonLists, Strings) {
  EXPECT_EQ(parse_string_list("", "w"), Strings{});
  EXPECT_EQ(parse_string_list("  ", "w"), Strings{});
  EXPECT_EQ(parse_string_list("[]", "w"), Strings{});
  EXPECT_EQ(parse_string_list(" [ 'a' , \"b's\" , ] ", "w"), (Strings{"a", "b's"}));
  EXPECT_EQ(parse_string_list(R"(['\x41\u00e9\U0001f3ac\101\\\'\"\n\t\r\a\b\f\v\0'])", "w"),
            (Strings{std::string("Aé🎬A\\'\"\n\t\r\a\b\f\v\0", 19)}));
  EXPECT_EQ(parse_string_list(R"(['\d'])", "w"), (Strings{"\\d"}));
}

TEST(PythonLists, Numbers) {
  EXPECT_EQ(parse_number_list("", "n"), Numbers{});
  EXPECT_EQ(parse_number_list("[1, -2.5, 1e-05, +3, .5, 4., 1E3]", "n"),
            (Numbers{1, -2.5, 1e-5, 3, 0.5, 4, 1000}));
  EXPECT_EQ(format_number_list({}), "[]");
  EXPECT_EQ(format_number_list({2, 0.1, 1e-5, 1e16, -0.0, 1e22}), "[2.0, 0.1, 1e-05, 1e+16, -0.0, 1e+22]");
  EXPECT_THROW(format_number_list({std::numeric_limits<double>::quiet_NaN()}), Error);
}

TEST(PythonLists, BrokenListsAreNamed) {
  EXPECT_INPUT_ERROR(parse_string_list("a", "t.tsv, line 3, words_per_tr"),
                     "t.tsv, line 3, words_per_tr: a list begins with [ at character 1 (“a”)");
  EXPECT_INPUT_ERROR(parse_string_list("['a' 'b']", "w"), "a , or ] is expected at character 6");
  EXPECT_INPUT_ERROR(parse_string_list("['a', 1]", "w"), "a quoted text is expected at character 7");
  EXPECT_INPUT_ERROR(parse_string_list("['a", "w"), "never closed at character 2");
  EXPECT_INPUT_ERROR(parse_string_list("['a\\", "w"), "never closed");
  EXPECT_INPUT_ERROR(parse_string_list("['a'", "w"), "a , or ]");
  EXPECT_INPUT_ERROR(parse_string_list("[] x", "w"), "behind the list");
  EXPECT_INPUT_ERROR(parse_string_list("[,]", "w"), "a quoted text");
  EXPECT_INPUT_ERROR(parse_string_list(R"(['\xg1'])", "w"), "broken escape");
  EXPECT_INPUT_ERROR(parse_string_list(R"(['\u12)", "w"), "broken escape");
  EXPECT_INPUT_ERROR(parse_string_list(R"(['\ud800'])", "w"), "no character");
  EXPECT_INPUT_ERROR(parse_string_list(R"(['\N{DASH}'])", "w"), "by name");
  EXPECT_INPUT_ERROR(parse_number_list("[nan]", "n"), "a finite number is expected");
  EXPECT_INPUT_ERROR(parse_number_list("[1, inf]", "n"), "at character 5");
  EXPECT_INPUT_ERROR(parse_number_list("[1e999]", "n"), "finite");
  EXPECT_INPUT_ERROR(parse_number_list("[+-1]", "n"), "finite");
  EXPECT_INPUT_ERROR(parse_number_list("[1 2]", "n"), "a , or ]");
  EXPECT_INPUT_ERROR(parse_number_list("['1']", "n"), "finite");
  EXPECT_INPUT_ERROR(parse_number_list("[0x10]", "n"), "a , or ]");
}

TEST(PythonLists, MutationsOfTablesAndListsNeverCrash) {
  const std::string table = test::read_all(test::fixture("table.tsv"));
  EXPECT_GT(test::fuzz(table, 5000, [](const std::string& bytes) { parse_tsv(bytes, "t"); }), 1000);
  const std::string strings = R"(['tab\tnew\nline', "don't", '\u200b\x07\xad', '🎬', 'é', '\'"'])";
  EXPECT_GT(test::fuzz(strings, 8000, [](const std::string& bytes) { parse_string_list(bytes, "w"); }), 1000);
  EXPECT_GT(test::fuzz("[123456.789, 1e-05, -0.5, 2.0]", 8000,
                       [](const std::string& bytes) {
                         for (const double value : parse_number_list(bytes, "n"))
                           EXPECT_TRUE(std::isfinite(value));
                       }),
            1000);
}

TEST(PythonLists, WhatIsWrittenIsReadBack) {
  std::mt19937 random(7);
  const char* const parts[] = {"a", "'",    "\"", "\\",     "\n", "\t", "é",
                               "🎬", "\x01", " ",  "\u200b", "]",  ",",  "\x7f"};
  for (int i = 0; i < 2000; ++i) {
    Strings words(random() % 4);
    for (auto& word : words) {
      for (auto n = random() % 6; n > 0; --n) word += parts[random() % std::size(parts)];
    }
    EXPECT_EQ(parse_string_list(format_string_list(words), "w"), words);
    Numbers numbers(random() % 4);
    for (auto& number : numbers)
      number = std::ldexp(static_cast<double>(random()), static_cast<int>(random() % 200) - 100);
    EXPECT_EQ(parse_number_list(format_number_list(numbers), "n"), numbers);
  }
}

}  // namespace
}  // namespace cinecortex::io
