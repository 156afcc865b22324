/* Dot-product attention with an integer softmax: what the inhibitor is compared with. */
#include "fixed.h"
#include "isa.h"

#if defined(ISA_MVE)
#include "dot_product_mve.h"
#elif defined(ISA_DSP)
#include "dot_product_dsp.h"
#else
#include "dot_product_portable.h"
#endif

/* One head's memory, cut from scratch: DOT_PRODUCT_SCRATCH. */
typedef struct {
  int32_t *scores, *h, *query, *multiplier; /* [n], [d], [d], [d] */
  void *keys, *values, *weights;
  uint8_t* shift;
} Buffers;

static Buffers cut(void* scratch, size_t n, size_t d) {
  const size_t keys = ROUND_UP(n, 16), width = ROUND_UP(d, 16);
  Buffers b;
  b.scores = scratch;
  b.h = b.scores + keys;
  b.query = b.h + width;
  b.multiplier = b.query + width;
  uint8_t* bytes = (uint8_t*)(b.multiplier + width);
  b.keys = bytes;
  b.values = bytes + 2 * keys * width;
  b.weights = bytes + 4 * keys * width;
  b.shift = bytes + 4 * keys * width + 2 * keys;
  return b;
}

/* Scores to exponentials in their place, and their sum < 2^28. */
static uint32_t exponentials(const DotProductAttention* p, size_t head, size_t n, int32_t most,
                             int32_t* s) {
  const int32_t m = p->attention.score_multiplier[head];
  const int32_t offset = p->attention.score_offset[head];
  const unsigned shift = p->attention.score_shift[head];
  uint32_t sum = 0;
#if defined(ISA_DSP)
  if (shift >= 17) { /* m < 2^16: its product is rounded by one instruction */
    const int32_t high = (int32_t)((uint32_t)m << (32 - shift));
    for (size_t j = 0; j < n; ++j) {
      s[j] = p->table[__usat(rounded_high(most - s[j], high), 8)];
      sum += (uint32_t)s[j];
    }
    return sum;
  }
#endif
  for (size_t j = 0; j < n; ++j) {
    const int64_t index = ((int64_t)(most - s[j]) * m + offset) >> shift;
    s[j] = p->table[index < 255 ? index : 255];
    sum += (uint32_t)s[j];
  }
  return sum;
}

static void attend(const uint8_t* qkv, size_t n, const DotProductAttention* p, size_t head,
                   uint8_t* out, Buffers b) {
  const size_t channels = p->attention.channels, d = channels / p->attention.heads;
  const size_t stride = 3 * channels;
  const uint8_t* q = qkv + head * d;
  pack_keys(q + channels, stride, n, d, b.keys);
  pack_values(q + 2 * channels, stride, n, d, b.values);
  for (size_t k = 0; k < d; ++k) { /* as in `Scale` */
    b.multiplier[k] = p->attention.multiplier[head * d + k] * 128;
    b.shift[k] = (uint8_t)(p->attention.shift[head * d + k] + 7);
  }
  for (size_t i = 0; i < n; ++i, q += stride) {
    const int32_t most = products(q, b.keys, n, d, b.scores, b.query);
    const uint32_t sum = exponentials(p, head, n, most, b.scores);
    weigh(b.values, b.scores, sum, n, d, b.weights, b.h);
    requantize_row(b.h, b.multiplier, b.shift, d, out + i * channels + head * d);
  }
}

void dot_product_attention(const uint8_t* qkv, size_t n, const DotProductAttention* p, uint8_t* out,
                           void* scratch) {
  const Buffers b = cut(scratch, n, p->attention.channels / p->attention.heads);
  for (size_t head = 0; head < p->attention.heads; ++head) attend(qkv, n, p, head, out, b);
}
