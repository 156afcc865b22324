// Both attentions, block by block: see attention.h.
#include "attention.h"

#include <cstring>

#include "inhibitor.h"
#include "pack.h"
#include "task.h"

namespace inhibi {
namespace {

// What both attentions need: attention.h gives the shapes. Dot products may double the keys.
struct Buffers {
  uint8_t *keys, *query, *bytes;
  int32_t *s, *h, *sums, *multiplier;

  Buffers(Scratch& scratch, const Task& t)
      : keys(scratch.take<uint8_t>(2 * t.blocks * packed_bytes(t.d))),
        query(scratch.take<uint8_t>(queries * t.d)),
        bytes(scratch.take<uint8_t>(queries * t.blocks * block_keys)),
        s(scratch.take<int32_t>(queries * t.blocks * block_keys)),
        h(scratch.take<int32_t>(queries * t.width)),
        sums(scratch.take<int32_t>(batch_queries * t.d)),
        multiplier(scratch.take<int32_t>(t.d)) {}
};

size_t scratch_bytes(const Task& t) {
  const size_t places = t.blocks * block_keys;
  const size_t keys = 2 * t.blocks * packed_bytes(t.d), values = 2 * places * t.width;
  const size_t scores = queries * places * (sizeof(int32_t) + 1) + queries * t.d;
  const size_t sums = (queries * t.width + batch_queries * t.d + t.width + t.d) * sizeof(int32_t);
  return keys + values + scores + sums + 16 * 64;
}

void requantize(const InhibiKernels& kernels, const InhibiAttention& a, const Task& t,
                const Buffers& b, size_t first, size_t rows) {
  static const int32_t no_bias[INHIBI_MAX_HEAD_WIDTH] = {};
  InhibiRequantize r = {};
  r.acc = b.sums;
  r.bias = no_bias;
  r.multiplier = b.multiplier;
  r.shift = a.shift + t.head * t.d;
  r.rows = rows;
  r.columns = r.acc_stride = t.d;
  r.stride = a.hidden;
  r.lo = a.lo;
  r.hi = a.hi;
  r.out = a.out + (t.start + first) * a.hidden + t.head * t.d;
  kernels.requantize(&r);
}

// Eight queries [8][d] from `token` of the sentence on; those beyond `end` repeat the last.
void gather(const InhibiAttention& a, const Task& t, size_t token, size_t end, uint8_t* query) {
  for (size_t q = 0; q < queries; ++q) {
    const uint8_t* from = part(a, t, 0) + std::min(token + q, end - 1) * 3 * a.hidden;
    for (size_t k = 0; k < t.d; k += 8, query += 8) memcpy(query, from + k, 8);
  }
}

// Calls block(h) for 8 queries [8][d] at a time and requantizes the h [8][width] that it writes.
template <typename Block>
void each_block(const InhibiKernels& kernels, const InhibiAttention& a, const Task& t,
                const Buffers& b, Block block) {
  for (size_t first = t.first; first < t.end; first += batch_queries) {
    const size_t end = std::min(first + batch_queries, t.end);
    int32_t* sums = b.sums;
    for (size_t i = first; i < end; i += queries, sums += queries * t.d) {
      gather(a, t, i, end, b.query);
      if (t.width == t.d) {
        block(sums);
        continue;
      }
      block(b.h);
      for (size_t q = 0; q < queries; ++q) {
        memcpy(sums + q * t.d, b.h + q * t.width, t.d * sizeof(int32_t));
      }
    }
    requantize(kernels, a, t, b, first, end - first);
  }
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

// The multipliers with the length factor, which fit 32 bits: see docs/SPEC.md.
void scale_by_length(const InhibiAttention& a, const Task& t, int32_t* multiplier) {
  for (size_t k = 0; k < t.d; ++k) {
    const int64_t m = int64_t{a.multiplier[t.head * t.d + k]} * a.length[t.n];
    multiplier[k] = static_cast<int32_t>((m + (1 << 14)) >> 15);
  }
}

}  // namespace
}  // namespace inhibi

using namespace inhibi;

size_t inhibi_attention_tasks(const InhibiAttention* attention) {
  return attention->sentences * attention->heads * parts(*attention);
}

int inhibi_inhibitor_attention(const InhibiKernels* kernels, const InhibiAttention* attention,
                               size_t task) {
  const InhibiAttention& a = *attention;
  const InhibiInhibitorKernels& k = *kernels->inhibitor;
  const Task t = find(a, task);
  if (t.first == t.end) return 0;
  Scratch scratch(scratch_bytes(t));
  if (scratch.failed()) return 1;
  const size_t places = t.blocks * block_keys, groups = (t.n + 3) / 4, stride = 3 * a.hidden;
  const Buffers b(scratch, t);
  uint8_t* magnitude = scratch.take<uint8_t>(places * t.width);
  int8_t* sign = scratch.take<int8_t>(places * t.width);
  int32_t* total = scratch.take<int32_t>(t.width);

  k.pack_keys(part(a, t, 1), stride, t.n, t.d, b.keys);
  k.pack_values(part(a, t, 2), stride, t.n, t.d, a.is_signed, magnitude, sign, total);
  scale_by_length(a, t, b.multiplier);
  const auto thresholds = t.d <= 64 ? k.thresholds : wide_thresholds;  // 255*64 * 2^16 < 2^30
  each_block(*kernels, a, t, b, [&](int32_t* h) {
    int64_t sums[queries], offset[queries];
    k.distances(b.query, b.keys, t.d, t.blocks, b.s, sums);
    centre(a, t, b.s, sums, offset);
    thresholds(b.s, t.blocks, a.score_multiplier[t.head], offset, a.score_shift[t.head], b.bytes);
    k.inhibit(b.bytes, magnitude, sign, total, groups, t.blocks, t.width, h);
  });
  return 0;
}

int inhibi_dot_product_attention(const InhibiKernels* kernels, const InhibiAttention* attention,
                                 size_t task) {
  const InhibiAttention& a = *attention;
  const InhibiDotProductKernels& k = *kernels->dot_product;
  const Task t = find(a, task);
  if (t.first == t.end) return 0;
  Scratch scratch(scratch_bytes(t));
  if (scratch.failed()) return 1;
  const size_t places = t.blocks * block_keys, groups = (t.n + 3) / 4, stride = 3 * a.hidden;
  const Buffers b(scratch, t);
  uint8_t* values = scratch.take<uint8_t>(2 * places * t.width);

  k.pack_keys(part(a, t, 1), stride, t.n, t.d, b.keys);
  k.pack_values(part(a, t, 2), stride, t.n, t.d, values);
  memcpy(b.multiplier, a.multiplier + t.head * t.d, t.d * sizeof(int32_t));
  each_block(*kernels, a, t, b, [&](int32_t* h) {
    k.products(b.query, b.keys, t.d, t.blocks, b.s);
    k.weights(b.s, t.n, t.blocks, a.score_multiplier[t.head], a.score_offset[t.head],
              a.score_shift[t.head], a.table, b.bytes);
    k.weigh(b.bytes, values, groups, t.blocks, t.width, h);
  });
  return 0;
}
