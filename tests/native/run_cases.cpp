// Runs a file of cases through every instruction set that this build and processor offer.
//
//   run_cases FILE        prints each instruction set's name, or the first case that differs
//
// The file (tests/native_cases.py writes it) is a sequence of cases; numbers are little-endian:
// clang-format off
//   operator and name  each uint64 length, then characters
//   numbers            uint64 rows, columns (of the result), heads; int32 centred, signed, lo, hi
//   inputs             uint64 count; each uint64 size of an item, uint64 bytes, then the bytes
//   result             rows * columns bytes
// clang-format on
// Each array gets memory of its own, just as large as it is and aligned to its items only, so that
// the address sanitizer sees every step beside it.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "kernels.h"

namespace {

class Array {
 public:
  Array(size_t item, const std::string& bytes) : item_(item), memory_(item + bytes.size()) {
    memcpy(memory_.data() + item, bytes.data(), bytes.size());
  }

  template <typename T>
  T* as() {
    return reinterpret_cast<T*>(memory_.data() + item_);
  }

 private:
  size_t item_;
  std::vector<char> memory_;
};

struct Case {
  std::string operator_name, name, result;
  uint64_t rows, columns, heads;
  int32_t centred, is_signed, lo, hi;
  std::vector<Array> inputs;

  template <typename T>
  const T* input(size_t i) {
    return inputs[i].as<const T>();
  }
};

template <typename T>
T number(std::istream& file) {
  T value = 0;
  file.read(reinterpret_cast<char*>(&value), sizeof value);
  return value;
}

std::string bytes(std::istream& file, uint64_t size) {
  std::string text(size, 0);
  file.read(text.data(), static_cast<std::streamsize>(size));
  return text;
}

std::string text(std::istream& file) { return bytes(file, number<uint64_t>(file)); }

Case read(std::istream& file) {
  Case c;
  c.operator_name = text(file);
  c.name = text(file);
  for (uint64_t* field : {&c.rows, &c.columns, &c.heads}) *field = number<uint64_t>(file);
  for (int32_t* field : {&c.centred, &c.is_signed, &c.lo, &c.hi}) *field = number<int32_t>(file);
  for (uint64_t left = number<uint64_t>(file); left; --left) {
    const uint64_t item = number<uint64_t>(file);
    c.inputs.emplace_back(item, text(file));
  }
  c.result = bytes(file, c.rows * c.columns);
  return c;
}

InhibiNorm norm(Case& c, size_t i) {
  return {c.input<int32_t>(i), c.input<int32_t>(i + 2), c.input<int64_t>(i + 1), c.lo, c.hi};
}

bool attend(const InhibiKernels& kernels, Case& c, bool inhibitor, uint8_t* out) {
  InhibiAttention a = {};
  a.qkv = c.input<uint8_t>(0);
  a.offsets = c.input<int64_t>(1);
  while (a.offsets[a.sentences] < static_cast<int64_t>(c.rows)) {
    const int64_t start = a.offsets[a.sentences++];
    a.longest = std::max(a.longest, static_cast<size_t>(a.offsets[a.sentences] - start));
  }
  a.hidden = c.columns, a.heads = c.heads;
  a.score_multiplier = c.input<int32_t>(2), a.score_offset = c.input<int32_t>(3);
  a.score_shift = c.input<int32_t>(4);
  a.multiplier = c.input<int32_t>(5), a.shift = c.input<int32_t>(6);
  a.lo = c.lo, a.hi = c.hi, a.out = out;
  a.centred = c.centred, a.is_signed = c.is_signed;
  if (inhibitor) a.length = c.input<int32_t>(7);
  if (!inhibitor) a.table = c.input<uint16_t>(7);
  const auto run = inhibitor ? inhibi_inhibitor_attention : inhibi_dot_product_attention;
  bool done = true;
  for (size_t task = inhibi_attention_tasks(&a); task; --task) done &= !run(&kernels, &a, task - 1);
  return done;
}

bool right(const InhibiKernels& kernels, Case& c) {
  Array memory(1, std::string(c.result.size(), '\xa5'));
  uint8_t* out = memory.as<uint8_t>();
  bool done = true;
  if (c.operator_name == "InhibitorAttention" || c.operator_name == "DotProductAttention") {
    done = attend(kernels, c, c.operator_name == "InhibitorAttention", out);
  } else if (c.operator_name == "AddLayerNorm") {
    const InhibiAddLayerNorm p = {c.input<int32_t>(0), c.input<int32_t>(1),
                                  c.input<int32_t>(2), c.input<int32_t>(3),
                                  c.input<uint8_t>(4), c.input<int32_t>(5),
                                  norm(c, 6),          c.rows,
                                  c.columns,           out};
    kernels.add_layer_norm(&p);
  } else if (c.operator_name == "EmbedLayerNorm") {
    const InhibiEmbedLayerNorm p = {c.input<int64_t>(0),
                                    c.input<int64_t>(1),
                                    c.input<int64_t>(2),
                                    c.input<int8_t>(3),
                                    c.input<int8_t>(4),
                                    c.input<int8_t>(5),
                                    c.input<int32_t>(6),
                                    norm(c, 7),
                                    c.rows,
                                    c.columns,
                                    out};
    kernels.embed_layer_norm(&p);
  } else {
    const uint8_t* table = c.inputs.size() > 4 ? c.input<uint8_t>(4) : nullptr;
    const InhibiRequantize p = {c.input<int32_t>(0),
                                c.input<int32_t>(1),
                                c.input<int32_t>(2),
                                c.input<int32_t>(3),
                                table,
                                c.rows,
                                c.columns,
                                c.columns,
                                c.columns,
                                c.lo,
                                c.hi,
                                out};
    kernels.requantize(&p);
  }
  return done && memcmp(out, c.result.data(), c.result.size()) == 0;
}

}  // namespace

int main(int arguments, char** argument) {
  std::ifstream file(arguments == 2 ? argument[1] : "", std::ios::binary);
  std::vector<Case> cases;
  while (file.peek() != EOF && file) cases.push_back(read(file));
  if (cases.empty() || !file) return fprintf(stderr, "no file of cases\n"), 2;
  std::istringstream names(inhibi_isas());
  for (std::string isa; names >> isa;) {
    for (Case& c : cases) {
      if (right(*inhibi_kernels(isa.c_str()), c)) continue;
      fprintf(stderr, "%s differs: %s-%s\n", isa.c_str(), c.operator_name.c_str(), c.name.c_str());
      return 1;
    }
    printf("%s\n", isa.c_str());
  }
  return 0;
}
