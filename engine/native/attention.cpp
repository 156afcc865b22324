// Both attentions, block by block: see attention.h.
#include "attention.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "inhibitor.h"
#include "pack.h"

namespace inhibi {
namespace {

constexpr size_t chunk = 256;  // queries of a task, which packs all keys and values for itself

struct Task {
  size_t head, start, n;  // the sentence's tokens are start .. start+n-1
  size_t first, end;      // the task's queries, counted from the sentence's start
  size_t d, blocks, width;
};

size_t chunks(size_t n) { return (n + chunk - 1) / chunk; }

size_t length_of(const InhibiAttention& a, size_t sentence) {
  return static_cast<size_t>(a.offsets[sentence + 1] - a.offsets[sentence]);
}

Task find(const InhibiAttention& a, size_t task) {
  size_t sentence = 0;
  while (task >= a.heads * chunks(length_of(a, sentence))) {
    task -= a.heads * chunks(length_of(a, sentence++));
  }
  Task t;
  t.start = static_cast<size_t>(a.offsets[sentence]);
  t.n = length_of(a, sentence);
  t.head = task % a.heads;
  t.first = task / a.heads * chunk;
  t.end = std::min(t.n, t.first + chunk);
  t.d = a.hidden / a.heads;
  t.blocks = (t.n + block_keys - 1) / block_keys;
  t.width = padded(t.d);
  return t;
}

// One allocation for a task, cut into pieces that start at multiples of 64 bytes.
class Scratch {
 public:
  explicit Scratch(size_t bytes) : memory_(std::aligned_alloc(64, rounded(bytes))) {}
  ~Scratch() { std::free(memory_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  bool failed() const { return memory_ == nullptr; }

  template <typename T>
  T* take(size_t count) {
    T* piece = reinterpret_cast<T*>(static_cast<char*>(memory_) + used_);
    used_ += rounded(count * sizeof(T));
    return piece;
  }

  static size_t rounded(size_t bytes) { return (bytes + 63) / 64 * 64; }

 private:
  void* memory_;
  size_t used_ = 0;
};

// The task's part of Q, K or V (0, 1, 2) from its sentence's first token on.
const uint8_t* part(const InhibiAttention& a, const Task& t, size_t which) {
  return a.qkv + (t.start * 3 + which) * a.hidden + t.head * t.d;
}

// Calls block() with 8 queries [8][d] at a time and gathers the h [8][width] that it leaves.
template <typename Block>
void each_block(const InhibiAttention& a, const Task& t, uint8_t* query, const int32_t* h,
                int32_t* all, Block block) {
  for (size_t i = t.first; i < t.end; i += queries) {
    for (size_t q = 0; q < queries; ++q) {
      const size_t token = std::min(i + q, t.end - 1);
      memcpy(query + q * t.d, part(a, t, 0) + token * 3 * a.hidden, t.d);
    }
    block();
    for (size_t q = 0; q < std::min(queries, t.end - i); ++q) {
      memcpy(all + (i - t.first + q) * t.d, h + q * t.width, t.d * sizeof(int32_t));
    }
  }
}

void requantize(const InhibiKernels& kernels, const InhibiAttention& a, const Task& t,
                const int32_t* h, const int32_t* multiplier) {
  static const int32_t no_bias[INHIBI_MAX_HEAD_WIDTH] = {};
  InhibiRequantize r = {};
  r.acc = h;
  r.bias = no_bias;
  r.multiplier = multiplier;
  r.shift = a.shift + t.head * t.d;
  r.rows = t.end - t.first;
  r.columns = t.d;
  r.stride = a.hidden;
  r.lo = a.lo;
  r.hi = a.hi;
  r.out = a.out + (t.start + t.first) * a.hidden + t.head * t.d;
  kernels.requantize(&r);
}

// offset_i = a - mean_i*m, so that z needs one multiplication.
void centre(const InhibiAttention& a, const Task& t, const int32_t* s, const int64_t* sums,
            int64_t* offset) {
  const size_t places = t.blocks * block_keys;
  const int64_t n = static_cast<int64_t>(t.n);
  for (size_t i = 0; i < queries; ++i) {
    offset[i] = a.score_offset[t.head];
    if (!a.centred) continue;
    const int64_t sum = sums[i] - static_cast<int64_t>(places - t.n) * s[i * places];
    offset[i] -= (2 * sum + n) / (2 * n) * a.score_multiplier[t.head];
  }
}

size_t scratch_bytes(const Task& t) {
  const size_t places = t.blocks * block_keys;
  const size_t keys = 2 * t.blocks * packed_bytes(t.d), values = 2 * places * t.width;
  const size_t scores = queries * places * (sizeof(int32_t) + 1);
  const size_t sums = (chunk * t.d + (queries + 2) * t.width) * sizeof(int32_t);
  return keys + values + scores + sums + queries * t.d + 16 * 64;
}

}  // namespace
}  // namespace inhibi

using namespace inhibi;

size_t inhibi_attention_tasks(const InhibiAttention* attention) {
  size_t tasks = 0;
  for (size_t sentence = 0; sentence < attention->sentences; ++sentence) {
    tasks += attention->heads * chunks(length_of(*attention, sentence));
  }
  return tasks;
}

int inhibi_inhibitor_attention(const InhibiKernels* kernels, const InhibiAttention* attention,
                               size_t task) {
  const InhibiAttention& a = *attention;
  const InhibiInhibitorKernels& k = *kernels->inhibitor;
  const Task t = find(a, task);
  Scratch scratch(scratch_bytes(t));
  if (scratch.failed()) return 1;
  const size_t places = t.blocks * block_keys, groups = (t.n + 3) / 4, stride = 3 * a.hidden;
  uint8_t* keys = scratch.take<uint8_t>(t.blocks * packed_bytes(t.d));
  uint8_t* magnitude = scratch.take<uint8_t>(places * t.width);
  int8_t* sign = scratch.take<int8_t>(places * t.width);
  int32_t* total = scratch.take<int32_t>(t.width);
  uint8_t* query = scratch.take<uint8_t>(queries * t.d);
  int32_t* s = scratch.take<int32_t>(queries * places);
  uint8_t* z = scratch.take<uint8_t>(queries * places);
  int32_t* h = scratch.take<int32_t>(queries * t.width);
  int32_t* all = scratch.take<int32_t>(chunk * t.d);
  int32_t* multiplier = scratch.take<int32_t>(t.d);

  k.pack_keys(part(a, t, 1), stride, t.n, t.d, keys);
  k.pack_values(part(a, t, 2), stride, t.n, t.d, a.is_signed, magnitude, sign, total);
  const auto thresholds = t.d <= 64 ? k.thresholds : wide_thresholds;  // 254*64 * 2^16 < 2^30
  each_block(a, t, query, h, all, [&] {
    int64_t sums[queries], offset[queries];
    k.distances(query, keys, t.d, t.blocks, s, sums);
    centre(a, t, s, sums, offset);
    thresholds(s, t.blocks, a.score_multiplier[t.head], offset, a.score_shift[t.head], z);
    k.inhibit(z, magnitude, sign, total, groups, t.blocks, t.width, h);
  });
  for (size_t c = 0; c < t.d; ++c) {
    const int64_t m = int64_t{a.multiplier[t.head * t.d + c]} * a.length[t.n];
    multiplier[c] = static_cast<int32_t>((m + (1 << 14)) >> 15);
  }
  requantize(*kernels, a, t, all, multiplier);
  return 0;
}

int inhibi_dot_product_attention(const InhibiKernels* kernels, const InhibiAttention* attention,
                                 size_t task) {
  const InhibiAttention& a = *attention;
  const InhibiDotProductKernels& k = *kernels->dot_product;
  const Task t = find(a, task);
  Scratch scratch(scratch_bytes(t));
  if (scratch.failed()) return 1;
  const size_t places = t.blocks * block_keys, groups = (t.n + 3) / 4, stride = 3 * a.hidden;
  uint8_t* keys = scratch.take<uint8_t>(2 * t.blocks * packed_bytes(t.d));
  uint8_t* values = scratch.take<uint8_t>(2 * places * t.width);
  uint8_t* query = scratch.take<uint8_t>(queries * t.d);
  int32_t* s = scratch.take<int32_t>(queries * places);
  uint8_t* p = scratch.take<uint8_t>(queries * places);
  int32_t* h = scratch.take<int32_t>(queries * t.width);
  int32_t* all = scratch.take<int32_t>(chunk * t.d);

  k.pack_keys(part(a, t, 1), stride, t.n, t.d, keys);
  k.pack_values(part(a, t, 2), stride, t.n, t.d, values);
  each_block(a, t, query, h, all, [&] {
    k.products(query, keys, t.d, t.blocks, s);
    k.weights(s, t.n, t.blocks, a.score_multiplier[t.head], a.score_offset[t.head],
              a.score_shift[t.head], a.table, p);
    k.weigh(p, values, groups, t.blocks, t.width, h);
  });
  requantize(*kernels, a, t, all, a.multiplier + t.head * t.d);
  return 0;
}
