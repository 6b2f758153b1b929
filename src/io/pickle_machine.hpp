#pragma once
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "cinecortex/core/types.hpp"

/// The part of Python's pickle machine that builds plain data: it knows numbers, texts, containers and NumPy
/// arrays, and looks nothing up by name. Every other opcode or global is an error, so that a file can at
/// worst be refused.
namespace cinecortex::io::pickle {

struct Object;

struct None {};
struct Bytes {
  std::string_view data;
  bool python2_text = false;  ///< Python 2's str, which is a text as well
};
struct Tuple {
  std::vector<Object*> items;
};
struct List {
  std::vector<Object*> items;
};
struct Dict {
  std::vector<Object*> keys_and_values;  ///< in the order set; a key may come again
};
enum class Global { ndarray, dtype, reconstruct, scalar, from_buffer, encode, bytes };
struct Dtype {
  std::string code;  ///< "f4", "O8", …
  char kind = '?';
  Index item_bytes = 0;
  bool big_endian = false;
};
struct Array {
  bool built = false;
  Dtype dtype;
  std::vector<Index> shape;
  bool fortran = false;
  std::string_view data;        ///< empty if the array holds Python objects
  std::vector<Object*> values;  ///< of an array of Python objects
};
struct Object {
  std::variant<None, bool, std::int64_t, double, std::string, Bytes, Tuple, List, Dict, Global, Dtype, Array>
      value;
};

class Machine {
 public:
  /// @param pickle  must outlive the machine and what it returns
  Machine(std::string_view pickle, const std::string& name) : pickle_(pickle), name_(name) {}
  /// @return the object the pickle describes, owned by this machine. @throws InputError
  const Object& run();
  [[noreturn]] void fail(const std::string& what) const;

 private:
  std::string_view take(std::uint64_t bytes);
  std::uint64_t take_number(int bytes);
  std::string_view take_line();
  std::string text(std::string_view utf8) const;

  Object* make(decltype(Object::value) value);
  void push(decltype(Object::value) value) { stack_.push_back(make(std::move(value))); }
  Object* pop();
  Object& top();
  std::vector<Object*> pop_to_mark();
  std::vector<Object*> pop_several(std::size_t count);
  template <class T>
  T& need(Object* object, const char* what) const;
  std::string need_text(Object* object, const char* what) const;
  bool need_truth(Object* object, const char* what) const;
  std::vector<Index> need_shape(Object* object) const;

  bool step(unsigned char opcode);  ///< false at STOP
  bool step_number(unsigned char opcode);
  bool step_text(unsigned char opcode);
  bool step_container(unsigned char opcode);
  bool step_memo(unsigned char opcode);
  void remember(std::uint64_t key, Object* object);
  void append(Object* list, const std::vector<Object*>& items);
  void set_items(Object* dict, const std::vector<Object*>& keys_and_values);

  // pickle_numpy.cpp
  void push_global(std::string_view module, std::string_view name);
  void reduce();
  void build();
  Dtype make_dtype(const std::vector<Object*>& arguments) const;
  decltype(Object::value) make_scalar(const std::vector<Object*>& arguments) const;
  Array make_from_buffer(const std::vector<Object*>& arguments) const;
  Bytes encode_latin1(const std::vector<Object*>& arguments);
  void build_dtype(Dtype& dtype, const std::vector<Object*>& state) const;
  void build_array(Array& array, const std::vector<Object*>& state) const;
  void check_array(const Array& array) const;

  std::string_view pickle_;
  const std::string& name_;
  std::size_t at_ = 0;
  std::size_t opcode_at_ = 0;
  std::deque<Object> objects_;
  std::deque<std::string> encoded_;
  std::size_t encoded_bytes_ = 0;
  std::vector<Object*> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, Object*> memo_;
};

template <class T>
T& Machine::need(Object* object, const char* what) const {
  if (auto* value = std::get_if<T>(&object->value)) return *value;
  fail(std::string("the object found there is no ") + what);
}

}  // namespace cinecortex::io::pickle
