#include "pickle_machine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "utf8.hpp"

namespace cinecortex::io::pickle {
namespace {

constexpr std::size_t most_objects = std::size_t{1} << 20;  // a challenge's files have some thousands

/// Python's opcodes that can be named when they are refused.
constexpr std::pair<unsigned char, const char*> refused[] = {{'P', "PERSID"},       {'Q', "BINPERSID"},
                                                             {'i', "INST"},         {'o', "OBJ"},
                                                             {0x81, "NEWOBJ"},      {0x92, "NEWOBJ_EX"},
                                                             {0x82, "EXT1"},        {0x83, "EXT2"},
                                                             {0x84, "EXT4"},        {0x8f, "EMPTY_SET"},
                                                             {0x90, "ADDITEMS"},    {0x91, "FROZENSET"},
                                                             {0x97, "NEXT_BUFFER"}, {0x98, "READONLY_BUFFER"},
                                                             {'2', "DUP"},          {'I', "INT"},
                                                             {'L', "LONG"},         {'F', "FLOAT"},
                                                             {'S', "STRING"},       {'V', "UNICODE"},
                                                             {'g', "GET"},          {'p', "PUT"}};

}  // namespace

void Machine::fail(const std::string& what) const {
  throw InputError(fmt::format("{}: the pickle is refused at byte {}: {}", name_, opcode_at_, what));
}

std::string_view Machine::take(std::uint64_t bytes) {
  if (bytes > pickle_.size() - at_) fail("it is cut off there");
  const std::string_view part = pickle_.substr(at_, static_cast<std::size_t>(bytes));
  at_ += part.size();
  return part;
}

std::uint64_t Machine::take_number(int bytes) {
  const std::string_view part = take(static_cast<std::uint64_t>(bytes));
  std::uint64_t value = 0;
  for (std::size_t i = part.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(part[i]);
  return value;
}

std::string_view Machine::take_line() {
  const std::size_t end = pickle_.find('\n', at_);
  if (end == std::string_view::npos) fail("it is cut off there");
  const std::string_view line = take(end - at_);
  take(1);
  return line;
}

std::string Machine::text(std::string_view utf8) const {
  if (first_invalid_utf8(utf8) != std::string_view::npos) fail("a text that is not UTF-8");
  return std::string(utf8);
}

Object* Machine::make(decltype(Object::value) value) {
  if (objects_.size() >= most_objects) fail(fmt::format("more than {} objects", most_objects));
  return &objects_.emplace_back(Object{std::move(value)});
}

Object* Machine::pop() {
  const std::size_t floor = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() <= floor) fail("an object is missing");
  Object* object = stack_.back();
  stack_.pop_back();
  return object;
}

Object& Machine::top() {
  Object* object = pop();
  stack_.push_back(object);
  return *object;
}

std::vector<Object*> Machine::pop_to_mark() {
  if (marks_.empty()) fail("a mark is missing");
  const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  marks_.pop_back();
  std::vector<Object*> items(begin, stack_.end());
  stack_.erase(begin, stack_.end());
  return items;
}

std::vector<Object*> Machine::pop_several(std::size_t count) {
  std::vector<Object*> items(count);
  for (std::size_t i = count; i-- > 0;) items[i] = pop();
  return items;
}

std::string Machine::need_text(Object* object, const char* what) const {
  if (const auto* bytes = std::get_if<Bytes>(&object->value); bytes && bytes->python2_text)
    return text(bytes->data);
  return need<std::string>(object, what);
}

bool Machine::need_truth(Object* object, const char* what) const {
  if (const auto* number = std::get_if<std::int64_t>(&object->value)) return *number != 0;
  return need<bool>(object, what);
}

void Machine::remember(std::uint64_t key, Object* object) {
  if (memo_.size() >= most_objects) fail(fmt::format("more than {} remembered objects", most_objects));
  memo_[key] = object;
}

void Machine::append(Object* list, const std::vector<Object*>& items) {
  auto& all = need<List>(list, "list").items;
  all.insert(all.end(), items.begin(), items.end());
}

void Machine::set_items(Object* dict, const std::vector<Object*>& keys_and_values) {
  if (keys_and_values.size() % 2 != 0) fail("a key without a value");
  auto& all = need<Dict>(dict, "dict").keys_and_values;
  all.insert(all.end(), keys_and_values.begin(), keys_and_values.end());
}

const Object& Machine::run() {
  if (pickle_.empty()) fail("it is empty");
  if (static_cast<unsigned char>(pickle_[0]) != 0x80)
    fail("protocols 2 to 5 can be read, and this is none of them");
  do {
    opcode_at_ = at_;
  } while (step(static_cast<unsigned char>(take(1)[0])));
  return *pop();
}

bool Machine::step(unsigned char opcode) {
  switch (opcode) {
    case '.':
      return false;  // STOP
    case 0x80: {     // PROTO
      const auto protocol = take_number(1);
      if (protocol < 2 || protocol > 5) fail(fmt::format("protocol {}; 2 to 5 can be read", protocol));
      return true;
    }
    case 0x95:  // FRAME: only announces how much may be read ahead
      if (take_number(8) > pickle_.size() - at_) fail("it is cut off: a frame is longer than the file");
      return true;
    case 'c': {  // GLOBAL
      const auto module = take_line();
      push_global(module, take_line());
      return true;
    }
    case 0x93: {  // STACK_GLOBAL
      const auto parts = pop_several(2);
      push_global(need_text(parts[0], "name"), need_text(parts[1], "name"));
      return true;
    }
    case 'R':
      reduce();
      return true;
    case 'b':
      build();
      return true;
    default:
      break;
  }
  if (step_number(opcode) || step_text(opcode) || step_container(opcode) || step_memo(opcode)) return true;
  for (const auto& [code, name] : refused) {
    if (code == opcode) fail(fmt::format("the opcode {} is not needed for plain data", name));
  }
  fail(fmt::format("0x{:02x} is no opcode", opcode));
}

bool Machine::step_number(unsigned char opcode) {
  const auto signed_number = [&](std::uint64_t bytes) {
    if (bytes > 8) fail("an integer of more than 64 bits");
    std::uint64_t value = take_number(static_cast<int>(bytes));
    if (bytes > 0 && bytes < 8 && (value >> (8 * bytes - 1) & 1) != 0)
      value |= ~std::uint64_t{0} << (8 * bytes);
    return static_cast<std::int64_t>(value);
  };
  switch (opcode) {
    case 'N':
      push(None{});
      return true;
    case 0x88:
      push(true);
      return true;
    case 0x89:
      push(false);
      return true;
    case 'K':
      push(static_cast<std::int64_t>(take_number(1)));
      return true;  // BININT1
    case 'M':
      push(static_cast<std::int64_t>(take_number(2)));
      return true;  // BININT2
    case 'J':
      push(signed_number(4));
      return true;  // BININT
    case 0x8a:
      push(signed_number(take_number(1)));
      return true;  // LONG1
    case 0x8b:
      push(signed_number(take_number(4)));
      return true;  // LONG4
    case 'G': {     // BINFLOAT, big-endian
      std::uint64_t bits = 0;
      for (const char c : take(8)) bits = bits << 8 | static_cast<unsigned char>(c);
      push(std::bit_cast<double>(bits));
      return true;
    }
    default:
      return false;
  }
}

bool Machine::step_text(unsigned char opcode) {
  switch (opcode) {
    case 0x8c:
      push(text(take(take_number(1))));
      return true;  // SHORT_BINUNICODE
    case 'X':
      push(text(take(take_number(4))));
      return true;  // BINUNICODE
    case 0x8d:
      push(text(take(take_number(8))));
      return true;  // BINUNICODE8
    case 'C':
      push(Bytes{take(take_number(1)), false});
      return true;  // SHORT_BINBYTES
    case 'B':
      push(Bytes{take(take_number(4)), false});
      return true;  // BINBYTES
    case 0x8e:      // BINBYTES8
    case 0x96:
      push(Bytes{take(take_number(8)), false});
      return true;  // BYTEARRAY8
    case 'U':
      push(Bytes{take(take_number(1)), true});
      return true;  // SHORT_BINSTRING
    case 'T':
      push(Bytes{take(take_number(4)), true});
      return true;  // BINSTRING
    default:
      return false;
  }
}

bool Machine::step_container(unsigned char opcode) {
  switch (opcode) {
    case '(':
      marks_.push_back(stack_.size());
      return true;
    case '0':
      pop();
      return true;
    case '1':
      pop_to_mark();
      return true;
    case ')':
      push(Tuple{});
      return true;
    case 0x85:
    case 0x86:
    case 0x87:
      push(Tuple{pop_several(opcode - 0x84u)});
      return true;  // TUPLE1 … TUPLE3
    case 't':
      push(Tuple{pop_to_mark()});
      return true;
    case ']':
      push(List{});
      return true;
    case 'l':
      push(List{pop_to_mark()});
      return true;
    case 'a': {
      const auto item = pop_several(1);
      append(&top(), item);
      return true;
    }
    case 'e': {
      const auto items = pop_to_mark();
      append(&top(), items);
      return true;
    }
    case '}':
      push(Dict{});
      return true;
    case 'd': {
      const auto items = pop_to_mark();
      push(Dict{});
      set_items(&top(), items);
      return true;
    }
    case 's': {
      const auto item = pop_several(2);
      set_items(&top(), item);
      return true;
    }
    case 'u': {
      const auto items = pop_to_mark();
      set_items(&top(), items);
      return true;
    }
    default:
      return false;
  }
}

bool Machine::step_memo(unsigned char opcode) {
  const auto recall = [&](std::uint64_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) fail("an object is recalled that was never remembered");
    stack_.push_back(found->second);
    return true;
  };
  switch (opcode) {
    case 'q':
      remember(take_number(1), &top());
      return true;  // BINPUT
    case 'r':
      remember(take_number(4), &top());
      return true;  // LONG_BINPUT
    case 0x94:
      remember(memo_.size(), &top());
      return true;  // MEMOIZE
    case 'h':
      return recall(take_number(1));  // BINGET
    case 'j':
      return recall(take_number(4));  // LONG_BINGET
    default:
      return false;
  }
}

}  // namespace cinecortex::io::pickle
