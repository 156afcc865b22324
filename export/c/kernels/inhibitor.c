/* Inhibitor attention, query by query: distances, thresholds, sums of inhibited values.
 *
 * Both sides are sums of absolute differences of bytes, one instruction where there is one:
 *
 *   S = sum |q - k|
 *   h = sum sign(v) * max(|v| - z, 0) = sum |max(|v| - z, 0) - mask| - 255 * (masked keys)
 *
 * with the mask 255 where v is negative, else 0. Unsigned inhibition, max(v - z, 0), is the same of
 * values whose negative ones are 0. */
#include "fixed.h"
#include "isa.h"

#if defined(ISA_MVE)
#include "inhibitor_mve.h"
#elif defined(ISA_DSP)
#include "inhibitor_dsp.h"
#else
#include "inhibitor_portable.h"
#endif

/* One head's memory, cut from scratch: INHIBITOR_SCRATCH. */
typedef struct {
  int32_t *scores, *h, *first, *multiplier; /* [n], [d], [d], [d] */
  uint8_t *keys, *values, *thresholds, *query, *shift;
} Buffers;

static Buffers cut(void* scratch, size_t n, size_t d) {
  const size_t keys = ROUND_UP(n, 16), width = ROUND_UP(d, 16);
  Buffers b;
  b.scores = scratch;
  b.h = b.scores + keys;
  b.first = b.h + width;
  b.multiplier = b.first + width;
  b.keys = (uint8_t*)(b.multiplier + width);
  b.values = b.keys + keys * width;
  b.thresholds = b.values + 2 * keys * width;
  b.query = b.thresholds + keys;
  b.shift = b.query + width;
  return b;
}

/* By how many bits x, not 0, can grow and stay within 31 of them. */
static int room(int32_t x) {
  const uint32_t size = x < 0 ? ~(uint32_t)x : (uint32_t)x;
#if defined(__GNUC__)
  return __builtin_clz(size | 1) - 1;
#else
  int bits = 0;
  while (!((size | 1) << bits & 1u << 30)) ++bits;
  return bits;
#endif
}

/* The multipliers with the length factor, grown as far as may be: see `Scale` for why. |h| * 2^31
 * and half a unit of the shift stay below 2^62. */
static void scale_by_length(const Attention* p, int32_t length, size_t head, size_t d, Buffers* b) {
  for (size_t k = 0; k < d; ++k) {
    const size_t channel = head * d + k;
    const int32_t m = (int32_t)(((int64_t)p->multiplier[channel] * length + (1 << 14)) >> 15);
    const int most = 53 - p->shift[channel], bits = room(m) < most ? room(m) : most;
    b->multiplier[k] = m * (1 << bits);
    b->shift[k] = (uint8_t)(p->shift[channel] + bits);
  }
}

/* (S - mean) * m + a, of which S * m + this. |S * m + this| < 2^31 for d <= 64 is proven. */
static int64_t centred(const InhibitorAttention* p, size_t head, int32_t sum, int32_t n) {
  const int64_t offset = p->attention.score_offset[head];
  if (!p->centred) return offset;
  return offset - (int64_t)((2 * sum + n) / (2 * n)) * p->attention.score_multiplier[head];
}

/* z of every key. */
static void find_thresholds(const InhibitorAttention* p, size_t head, int64_t offset, size_t n,
                            size_t d, const Buffers* b) {
  const int32_t m = p->attention.score_multiplier[head];
  const unsigned shift = p->attention.score_shift[head];
  if (d <= 64) {
    thresholds(b->scores, n, m, (int32_t)offset, shift, b->thresholds);
    return;
  }
  for (size_t j = 0; j < n; ++j) { /* 254 * 128 * 2^16 needs more than 32 bits */
    const int64_t z = (b->scores[j] * (int64_t)m + offset) >> shift;
    b->scores[j] = z < 0 ? 0 : z > 127 ? 127 : (int32_t)z;
  }
  thresholds(b->scores, n, 1, 0, 0, b->thresholds);
}

static void attend(const uint8_t* qkv, size_t n, const InhibitorAttention* p, size_t head,
                   uint8_t* out, Buffers b) {
  const size_t channels = p->attention.channels, d = channels / p->attention.heads;
  const size_t stride = 3 * channels;
  const uint8_t* q = qkv + head * d;
  pack_keys(q + channels, stride, n, d, b.keys);
  pack_values(q + 2 * channels, stride, n, d, p->is_signed, b.values, b.first);
  scale_by_length(&p->attention, p->length[n], head, d, &b);
  for (size_t i = 0; i < n; ++i, q += stride) {
    const int32_t sum = distances(take_query(q, d, b.query), b.keys, n, d, b.scores);
    const int64_t offset = centred(p, head, sum, (int32_t)n);
    find_thresholds(p, head, offset, n, d, &b);
    inhibit(b.values, b.thresholds, n, d, b.first, b.h);
    requantize_row(b.h, b.multiplier, b.shift, d, out + i * channels + head * d);
  }
}

void inhibitor_attention(const uint8_t* qkv, size_t n, const InhibitorAttention* p, uint8_t* out,
                         void* scratch) {
  const Buffers b = cut(scratch, n, p->attention.channels / p->attention.heads);
  for (size_t head = 0; head < p->attention.heads; ++head) attend(qkv, n, p, head, out, b);
}
