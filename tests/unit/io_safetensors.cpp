#include "cinecortex/io/safetensors.hpp"

#include <cstring>

#include "io_support.hpp"
#include "safetensors_writer.hpp"

namespace cinecortex::io {
namespace {

using cinecortex::testing::bytes_of;
using cinecortex::testing::float_tensor;
using cinecortex::testing::safetensors_of;

class SafetensorsFiles : public test::Folder {
 protected:
  /// A file whose header is `header`, followed by `data` bytes of zero.
  std::filesystem::path lying(const std::string& header, std::size_t data) const {
    return write("lie.safetensors", safetensors_of(header, std::string(data, '\0')));
  }
};

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return fmt::format(R"({{"dtype":"{}","shape":{},"data_offsets":{}}})", dtype, shape, offsets);
}

TEST_F(SafetensorsFiles, EveryTypeShapeAndByte) {
  std::vector<cinecortex::testing::WrittenTensor> written{float_tensor("f32", {2, 3}, {1, 2, 3, 4, 5, 6}),
                                                          {"scalar", "F64", {}, bytes_of<double>({0.5})},
                                                          {"nothing", "F16", {0, 7}, ""},
                                                          {"f16", "F16", {1}, "ab"},
                                                          {"bf16", "BF16", {2, 1}, "abcd"},
                                                          {"i64", "I64", {1}, bytes_of<std::int64_t>({-3})},
                                                          {"i32", "I32", {1}, "abcd"},
                                                          {"i16", "I16", {1}, "ab"},
                                                          {"i8", "I8", {3}, "abc"},
                                                          {"u8", "U8", {1, 1, 1}, "z"},
                                                          {"bool", "BOOL", {1}, std::string(1, '\1')}};
  const Safetensors read(write("all.safetensors", safetensors_of(written)));
  ASSERT_EQ(read.tensors().size(), written.size());
  const char* const types[] = {"float32", "float64", "float16", "float16", "bfloat16", "int64",
                               "int32",   "int16",   "int8",    "uint8",   "bool"};
  for (std::size_t i = 0; i < written.size(); ++i) {
    const StoredTensor& tensor = read.at(written[i].name);
    EXPECT_EQ(name(tensor.type), types[i]);
    EXPECT_EQ(tensor.shape, written[i].shape);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size()),
              written[i].bytes);
  }
}

TEST_F(SafetensorsFiles, TensorsOutliveTheReader) {
  StoredTensor kept;
  {
    const Safetensors read(write("one.safetensors", safetensors_of({float_tensor("w", {1}, {42})})));
    kept = read.at("w");
  }
  float value = 0;
  std::memcpy(&value, kept.bytes.data(), sizeof value);
  EXPECT_EQ(value, 42);
}

TEST_F(SafetensorsFiles, AFolderOfOneFileOrOfShards) {
  write("model-1.safetensors", safetensors_of({float_tensor("a", {1}, {1}), float_tensor("b", {1}, {2})}));
  write("model-2.safetensors", safetensors_of({float_tensor("c", {1}, {3})}));
  const auto index = [&](const std::string& map) {
    write("model.safetensors.index.json", R"({"metadata":{"total_size":12},"weight_map":)" + map + "}");
  };
  index(R"({"a":"model-1.safetensors","b":"model-1.safetensors","c":"model-2.safetensors"})");
  const Safetensors shards(folder_);
  EXPECT_EQ(shards.tensors().size(), 3u);
  EXPECT_EQ(shards.files().size(), 2u);
  EXPECT_EQ(shards.at("c").file, file("model-2.safetensors"));
  index(R"({"a":"model-2.safetensors"})");
  EXPECT_INPUT_ERROR(Safetensors{folder_}, "a is said to be in model-2.safetensors, but is not");
  index(R"({"a":"model-3.safetensors"})");
  EXPECT_INPUT_ERROR(Safetensors{folder_}, "model-3.safetensors cannot be opened");
  index(R"({"a":"../model-1.safetensors"})");
  EXPECT_INPUT_ERROR(Safetensors{folder_}, "a is said to be in \"../model-1.safetensors\"");
  index(R"({"a":"model-1.safetensors","a":"model-2.safetensors"})");
  EXPECT_INPUT_ERROR(Safetensors{folder_}, "the key \"a\" is there twice");
  index("[]");
  EXPECT_INPUT_ERROR(Safetensors{folder_}, "no object weight_map");
  write("model.safetensors", safetensors_of({float_tensor("whole", {1}, {1})}));
  EXPECT_EQ(Safetensors(folder_).tensors().count("whole"), 1u);
}

TEST_F(SafetensorsFiles, WhatIsMissingIsNamed) {
  EXPECT_INPUT_ERROR(Safetensors{folder_}, "neither model.safetensors nor");
  write("pytorch_model.bin", "x");
  EXPECT_INPUT_ERROR(Safetensors{folder_}, "pytorch_model.bin cannot be read");
  EXPECT_INPUT_ERROR(Safetensors{file("gone.safetensors")}, "gone.safetensors cannot be opened");
  const Safetensors read(
      write("one.safetensors", safetensors_of({float_tensor("layers.0.weight", {1}, {1})})));
  EXPECT_INPUT_ERROR(read.at("layer.0.weight"), "no tensor layer.0.weight; closest: layers.0.weight");
}

TEST_F(SafetensorsFiles, HeadersThatLieAreRefused) {
  const std::string tensor = entry("F32", "[2]", "[0,8]");
  EXPECT_EQ(Safetensors(lying(R"({"a":)" + tensor + "}", 8)).tensors().size(), 1u);
  const auto refused = [&](const std::string& value, std::size_t data, const std::string& message) {
    EXPECT_INPUT_ERROR(Safetensors{lying(R"({"a":)" + value + "}", data)}, message);
  };
  refused(entry("F32", "[3]", "[0,8]"), 8, "\"a\" of float32 [3] has 8 bytes; needed: 12");
  refused(entry("F32", "[2]", "[0,8]"), 4, "but 4 bytes follow the header");
  refused(entry("F32", "[2]", "[8,0]"), 8, "data_offsets [8, 0]");
  refused(entry("F32", "[2]", "[0,8]"), 9,
          "bytes from 8 to the next tensor or the end at 9 belong to no tensor");
  refused(entry("F32", "[2]", "[4,12]"), 12, "bytes from 0 to the next tensor");
  refused(entry("F32", "[2]", "[0]"), 8, "1 data_offsets");
  refused(entry("F32", "[2]", "[-1,7]"), 8, "-1 in its data_offsets");
  refused(entry("F32", "[2.0]", "[0,8]"), 8, "2.0 in its shape");
  refused(entry("F32", "2", "[0,8]"), 8, "the shape 2; allowed: a list");
  refused(entry("F32", "[4294967296,4294967296,4]", "[0,8]"), 8, "more than 64 bits can count");
  refused(entry("F32", "[18446744073709551615]", "[0,8]"), 8, "18446744073709551615 in its shape");
  refused(entry("F8_E4M3", "[8]", "[0,8]"), 8, "the dtype \"F8_E4M3\"; can be read: F64, F32");
  refused(R"({"dtype":"F32","shape":[2]})", 8, "has no data_offsets");
  refused("7", 8, "is not an object");
  refused(tensor + R"(,"b":)" + entry("F32", "[2]", "[4,12]"), 12, "tensor b begins at byte 4, inside of");
  refused(tensor + R"(,"a":)" + tensor, 8, "the key \"a\" is there twice");
  refused(tensor + R"(,"__metadata__":{"n":1})", 8, "__metadata__");
  EXPECT_INPUT_ERROR(Safetensors{lying(R"({"a":)", 8)}, "not JSON");
  EXPECT_INPUT_ERROR(Safetensors{lying(R"({"a":)" + std::string(70, '[') + std::string(70, ']') + "}", 8)},
                     "more than 64 levels deep");
}

TEST_F(SafetensorsFiles, OtherFilesAreRefused) {
  EXPECT_INPUT_ERROR(Safetensors{write("x", "")}, "is empty");
  EXPECT_INPUT_ERROR(Safetensors{write("x", "abc")}, "not a safetensors file");
  EXPECT_INPUT_ERROR(Safetensors{write("x", std::string(8, '\0'))}, "not a safetensors file");
  EXPECT_INPUT_ERROR(Safetensors{write("x", std::string(100, '\xff'))}, "not a safetensors file");
  EXPECT_INPUT_ERROR(Safetensors{write("x", "version https://git-lfs.github.com/spec/v1\n")}, "git lfs pull");
  const std::string whole = safetensors_of({float_tensor("w", {4}, {1, 2, 3, 4})});
  EXPECT_INPUT_ERROR(Safetensors{write("x", whole.substr(0, 30))}, "truncated: its header has");
  EXPECT_INPUT_ERROR(Safetensors{write("x", whole.substr(0, whole.size() - 1))}, "is the file complete?");
}

TEST_F(SafetensorsFiles, DamageNeverCrashes) {
  const std::string whole = safetensors_of({float_tensor("first", {2, 2}, {1, 2, 3, 4}),
                                            {"second", "BF16", {3}, "abcdef"},
                                            {"third", "I8", {0}, ""}});
  const auto parse = [&](const std::string& bytes) {
    const Safetensors read(write("damaged.safetensors", bytes));
    unsigned sum = 0;  // touches every byte that a tensor claims
    for (const auto& [name, tensor] : read.tensors()) {
      for (const std::byte byte : tensor.bytes) sum += static_cast<unsigned>(byte);
    }
    EXPECT_GE(sum, 0u);
  };
  EXPECT_GT(test::fuzz(whole, 4000, parse), 2500);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THROW(parse(whole.substr(0, size)), InputError) << size;
  }
}

}  // namespace
}  // namespace cinecortex::io
