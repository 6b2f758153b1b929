// Pickles that Python and NumPy wrote (tests/parity/io/make_fixtures.py), and pickles that mean harm.
#include "cinecortex/io/pickle.hpp"

#include <cstring>

#include "cinecortex/io/npy.hpp"
#include "io_support.hpp"

namespace cinecortex::io {
namespace {

PyValue parse(const std::string& pickle) {
  return parse_pickle(std::as_bytes(std::span(pickle.data(), pickle.size())), "test.pkl");
}

const PyValue& at(const PyValue& dict, const std::string& key) {
  for (const auto& [name, value] : std::get<PyDict>(dict.value)) {
    if (name == key) return value;
  }
  throw std::runtime_error("no key " + key);
}

template <class T>
T get(const PyValue& dict, const std::string& key) {
  return std::get<T>(at(dict, key).value);
}

template <class T>
std::vector<T> numbers(const PyArray& array) {
  std::vector<T> values(array.bytes.size() / sizeof(T));
  std::memcpy(values.data(), array.bytes.data(), values.size() * sizeof(T));
  return values;
}

class Pickle : public test::Folder {};

TEST_F(Pickle, SampleNumbersOfEveryProtocol) {
  for (int protocol = 2; protocol <= 5; ++protocol) {
    const PyValue counts = read_pickled_npy(test::fixture("counts_" + std::to_string(protocol) + ".npy"));
    std::vector<std::pair<std::string, std::int64_t>> found;
    for (const auto& [name, value] : std::get<PyDict>(counts.value)) {
      found.emplace_back(name, std::get<std::int64_t>(value.value));
    }
    const decltype(found) expected{
        {"s07e01a", 460}, {"s07e01b", 593}, {"chaplin1", 70000}, {"empty", 0}, {"negative", -3}};
    EXPECT_EQ(found, expected) << "protocol " << protocol;
  }
}

TEST_F(Pickle, EverythingTheReaderKnows) {
  for (int protocol = 2; protocol <= 5; ++protocol) {
    SCOPED_TRACE(protocol);
    const PyValue v = parse(test::read_all(test::fixture("mixed_" + std::to_string(protocol) + ".pkl")));
    EXPECT_EQ(get<std::int64_t>(v, "int"), 7);
    EXPECT_EQ(get<std::int64_t>(v, "large"), std::int64_t{1} << 40);
    EXPECT_EQ(get<std::int64_t>(v, "minus"), -(std::int64_t{1} << 33));
    EXPECT_EQ(get<std::int64_t>(v, "true"), 1);
    EXPECT_TRUE(std::holds_alternative<std::monostate>(at(v, "none").value));
    EXPECT_EQ(get<double>(v, "float"), 0.1);
    EXPECT_EQ(get<std::string>(v, "text"), "Größe 🎬");
    EXPECT_EQ(get<std::string>(v, "long text"), std::string(300, 'x'));
    EXPECT_EQ(get<std::int64_t>(v, "np.int64"), -5);
    EXPECT_EQ(get<std::int64_t>(v, "np.uint8"), 200);
    EXPECT_EQ(get<double>(v, "np.float32"), 0.5);
    EXPECT_EQ(get<double>(v, "np.float16"), 1.5);
    EXPECT_EQ(get<std::int64_t>(v, "np.bool"), 1);
    EXPECT_EQ(get<std::string>(v, "np.str"), "häh");
    for (const char* name : {"c", "fortran", "again"}) {
      const auto array = get<PyArray>(v, name);
      EXPECT_EQ(array.descr, "<f4");
      EXPECT_EQ(array.shape, (std::vector<Index>{2, 3}));
      EXPECT_EQ(numbers<float>(array), (std::vector<float>{0, 1, 2, 3, 4, 5})) << name;
    }
    EXPECT_EQ(numbers<std::int64_t>(get<PyArray>(v, "strided")),
              (std::vector<std::int64_t>{0, 2, 4, 6, 8, 10}));
    EXPECT_TRUE(get<PyArray>(v, "scalar array").shape.empty());
    EXPECT_EQ(numbers<double>(get<PyArray>(v, "scalar array")), std::vector<double>{2.5});
    EXPECT_EQ(get<PyArray>(v, "empty").shape, (std::vector<Index>{0, 5}));
    EXPECT_EQ(get<std::int64_t>(at(at(v, "nested"), "sub-02"), "a"), 1);
  }
}

TEST_F(Pickle, NothingIsExecutedAndTheRefusedIsNamed) {
  EXPECT_INPUT_ERROR(parse("\x80\x02"
                           "cos\nsystem\nX\x02\0\0\0idtR."),
                     "byte 2: it asks for os.system");
  EXPECT_INPUT_ERROR(parse("\x80\x04\x8c\x08"
                           "builtins\x8c\x04"
                           "eval\x93."),
                     "builtins.eval");
  EXPECT_INPUT_ERROR(parse("\x80\x02"
                           "cnumpy\nload\n."),
                     "numpy.load");
  EXPECT_INPUT_ERROR(parse("\x80\x02"
                           "c\x1b[31m\nx\n."),
                     "?[31m.x");
  EXPECT_INPUT_ERROR(parse("\x80\x02}\x81."), "NEWOBJ");
  EXPECT_INPUT_ERROR(parse("\x80\x02]Q."), "BINPERSID");
  EXPECT_INPUT_ERROR(parse("\x80\x02\x82\x01."), "EXT1");
  EXPECT_INPUT_ERROR(parse("\x80\x05\x97."), "NEXT_BUFFER");
  EXPECT_INPUT_ERROR(parse("\x80\x02\xff."), "0xff is no opcode");
  EXPECT_INPUT_ERROR(parse("\x80\x02"
                           "cnumpy\nndarray\n)R."),
                     "numpy.ndarray is not called");
}

TEST_F(Pickle, BrokenPicklesSayWhereTheyBreak) {
  EXPECT_INPUT_ERROR(parse(""), "empty");
  EXPECT_INPUT_ERROR(parse("(dp0\n."), "protocols 2 to 5");
  EXPECT_INPUT_ERROR(parse("\x80\x06."), "protocol 6");
  EXPECT_INPUT_ERROR(parse("\x80\x02."), "an object is missing");
  EXPECT_INPUT_ERROR(parse("\x80\x02K"), "cut off");
  EXPECT_INPUT_ERROR(parse("\x80\x02}"), "cut off");
  EXPECT_INPUT_ERROR(parse("\x80\x02X\xff\xff\xff\xff."), "cut off");
  EXPECT_INPUT_ERROR(parse("\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xff."), "cut off");
  EXPECT_INPUT_ERROR(parse("\x80\x02h\x05."), "never remembered");
  EXPECT_INPUT_ERROR(parse("\x80\x02t."), "a mark is missing");
  EXPECT_INPUT_ERROR(parse("\x80\x02}(K\x01u."), "a key without a value");
  EXPECT_INPUT_ERROR(parse("\x80\x02K\x01K\x02K\x03s."), "no dict");
  EXPECT_INPUT_ERROR(parse("\x80\x02}K\x01K\x02s."), "a dict's key is not a text");
  EXPECT_INPUT_ERROR(parse("\x80\x02]."), "a list is not read as a value");
  EXPECT_INPUT_ERROR(parse("\x80\x04\x8c\x01\xff."), "not UTF-8");
  EXPECT_INPUT_ERROR(parse("\x80\x02\x8a\x09" + std::string(9, '\x01') + "."), "more than 64 bits");
}

TEST_F(Pickle, NestingSharingAndSizeAreBounded) {
  std::string nested = "\x80\x02";
  for (int i = 0; i < 100; ++i) nested += "}\x8c\x01k";
  nested += "K\x01" + std::string(100, 's') + ".";
  EXPECT_INPUT_ERROR(parse(nested), "levels of nesting");

  // A dict that contains itself.
  EXPECT_INPUT_ERROR(parse(std::string("\x80\x02}q\0\x8c\x01kh\0s.", 13)), "levels of nesting");

  // Forty dicts, each holding the one before twice: 2⁴⁰ values if written out.
  std::string laughs = std::string("\x80\x02}q\0", 5);
  for (char i = 0; i < 40; ++i) {
    laughs +=
        "}(\x8c\x01"
        "ah" +
        std::string(1, i) +
        "\x8c\x01"
        "bh" +
        std::string(1, i) + "uq" + std::string(1, static_cast<char>(i + 1));
  }
  EXPECT_INPUT_ERROR(parse(laughs + "."), "again and again");

  EXPECT_INPUT_ERROR(parse("\x80\x02" + std::string(2'000'000, 'N') + "."), "more than 1048576 objects");
  EXPECT_INPUT_ERROR(parse("\x80\x02N" + std::string(2'000'000, '\x94') + "."), "remembered objects");
}

TEST_F(Pickle, ArraysMustFillTheirShape) {
  std::string pickle = test::read_all(test::fixture("mixed_4.pkl"));
  EXPECT_NO_THROW(parse(pickle));
  const std::string shape = "K\x02K\x03\x86";  // the first array's
  ASSERT_NE(pickle.find(shape), std::string::npos);
  pickle[pickle.find(shape) + 1] = 9;
  EXPECT_INPUT_ERROR(parse(pickle), "do not fill its shape");
}

TEST_F(Pickle, OtherNpyFilesAreNoDict) {
  write_npy(file("x.npy"), MatrixD(MatrixD::Ones(2, 2)));
  EXPECT_INPUT_ERROR(read_pickled_npy(file("x.npy")), "'<f8' with 2 dimensions");
  EXPECT_INPUT_ERROR(read_pickled_npy(file("missing.npy")), "cannot be opened");
  EXPECT_INPUT_ERROR(read_pickled_npy(folder_), "is a folder");
  const std::string whole = test::read_all(test::fixture("counts_4.npy"));
  EXPECT_INPUT_ERROR(read_pickled_npy(write("cut.npy", whole.substr(0, whole.size() - 20))), "cut off");
}

TEST_F(Pickle, MutationsAreRefusedAndNeverCrash) {
  for (const char* name : {"mixed_2.pkl", "mixed_4.pkl", "mixed_5.pkl", "counts_3.npy"}) {
    const bool npy = std::string(name).ends_with(".npy");
    const std::string original = test::read_all(test::fixture(name));
    const int refused = test::fuzz(original, 5000, [&](const std::string& bytes) {
      if (npy)
        read_pickled_npy(write("fuzz.npy", bytes));
      else
        parse(bytes);
    });
    EXPECT_GT(refused, 1000) << name;
  }
}

TEST_F(Pickle, SampleNumbersWrittenAreReadBack) {
  write_pickled_counts(file("n.npy"), {{"s07e01a", 460}, {"chaplin1", 0}});
  const PyValue counts = read_pickled_npy(file("n.npy"));
  EXPECT_EQ(std::get<PyDict>(counts.value).size(), 2u);
  EXPECT_EQ(get<std::int64_t>(counts, "s07e01a"), 460);
  EXPECT_FALSE(std::filesystem::exists(file("n.npy.partial")));
}

TEST_F(Pickle, ASubmissionIsReadBackAndAppearsOnlyWhenItIsComplete) {
  const MatrixF first = MatrixF::Random(7, 3), second = MatrixF::Random(1, 3);
  {
    SubmissionWriter writer(file("out/ood.npy"));
    writer.begin_subject("sub-01");
    writer.add_run("chaplin1", first);
    writer.add_run("wot2", second);
    EXPECT_THROW(writer.add_run("wot2", second), Error);
    EXPECT_THROW(writer.begin_subject("sub-02"), Error);
    EXPECT_THROW(writer.finish(), Error);
    writer.end_subject();
    EXPECT_THROW(writer.end_subject(), Error);
    EXPECT_THROW(writer.add_run("wot1", second), Error);
    EXPECT_THROW(writer.begin_subject("sub-01"), Error);
    writer.begin_subject("sub-05");
    writer.end_subject();
    EXPECT_FALSE(std::filesystem::exists(file("out/ood.npy")));
    writer.finish();
  }
  const PyValue all = read_pickled_npy(file("out/ood.npy"));
  EXPECT_EQ(std::get<PyDict>(all.value).size(), 2u);
  const auto array = get<PyArray>(at(all, "sub-01"), "chaplin1");
  EXPECT_EQ(array.descr, "<f4");
  EXPECT_EQ(array.shape, (std::vector<Index>{7, 3}));
  EXPECT_EQ(numbers<float>(array), std::vector<float>(first.data(), first.data() + first.size()));
  EXPECT_TRUE(std::get<PyDict>(at(all, "sub-05").value).empty());
}

TEST_F(Pickle, AnAbandonedSubmissionLeavesOnlyItsPartial) {
  { SubmissionWriter writer(file("s.npy")); }
  EXPECT_FALSE(std::filesystem::exists(file("s.npy")));
  EXPECT_TRUE(std::filesystem::exists(file("s.npy.partial")));
  EXPECT_INPUT_ERROR(SubmissionWriter(write("plain", "") / "s.npy"), "plain");
}

TEST_F(Pickle, AZipHoldsTheFileUnderItsOwnName) {
  const std::string content(100'000, 'a');
  zip_file(file("z/s.zip"), write("s.npy", content));
  zip_file(file("z/s.zip"), file("s.npy"));  // replaced, not added to
  EXPECT_LT(std::filesystem::file_size(file("z/s.zip")), 2000u);
  EXPECT_FALSE(std::filesystem::exists(file("z/s.zip.partial")));
  const std::string bytes = test::read_all(file("z/s.zip"));
  EXPECT_EQ(bytes.substr(0, 4), "PK\x03\x04");
  EXPECT_NE(bytes.find("s.npy"), std::string::npos);
  EXPECT_INPUT_ERROR(zip_file(file("t.zip"), file("missing.npy")), "missing.npy");
  EXPECT_INPUT_ERROR(zip_file(file("s.npy") / "t.zip", file("s.npy")), "s.npy");
}

}  // namespace
}  // namespace cinecortex::io
