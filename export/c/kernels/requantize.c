/* Products that are requantized, and what needs no product. */
#include <string.h>

#include "fixed.h"

#if defined(ISA_MVE)
#include <arm_mve.h>
#endif

static int32_t limit_wide(int64_t x, int32_t most) {
  return x < -most ? -most : x > most ? most : (int32_t)x;
}

int32_t scale_wide(int32_t acc, int32_t multiplier, unsigned shift, int32_t most) {
  const int64_t x = (int64_t)acc * multiplier + ((int64_t)1 << (shift - 1));
  return limit_wide(x >> shift, most);
}

int32_t weigh_wide(int32_t n, int32_t weight, int64_t bias, unsigned shift) {
  return limit_wide(((int64_t)n * weight + bias) >> shift, 127);
}

static void requantize_each(const int32_t* acc, const int32_t* multiplier, const uint8_t* shift,
                            size_t count, uint8_t* out) {
  for (const uint8_t* const end = out + count; out != end; ++acc, ++multiplier, ++shift, ++out) {
    if (RARELY(*shift <= 32)) {
      *out = byte(scale_wide(*acc, *multiplier, *shift, 127));
    } else {
      *out = byte(scale_high(*acc, *multiplier, *shift));
    }
  }
}

#if defined(ISA_DSP)
/* A scaled value plus the zero point, within 0..255; the shift less 33. */
static inline uint32_t biased(int32_t acc, int32_t multiplier, int32_t shift) {
  const int32_t high = (int32_t)(((int64_t)acc * multiplier) >> 32);
  return (uint32_t)__usat(((high >> shift) + 2 * ZERO_POINT + 1) >> 1, 8);
}

/* Four at once, the lower limit in one register; 0 where a shift is not above 32. */
static inline int requantize_four(const int32_t* acc, const int32_t* multiplier,
                                  const uint8_t* shift, uint8_t* out) {
  const int32_t a = shift[0] - 33, b = shift[1] - 33, c = shift[2] - 33, d = shift[3] - 33;
  if (RARELY((a | b | c | d) < 0)) return 0;
  uint32_t four = biased(acc[0], multiplier[0], a);
  four |= biased(acc[1], multiplier[1], b) << 8;
  four |= biased(acc[2], multiplier[2], c) << 16;
  four |= biased(acc[3], multiplier[3], d) << 24;
  four = __uadd8(__uqsub8(four, 0x01010101u), 0x01010101u); /* 1 at least */
  memcpy(out, &four, 4);
  return 1;
}
#endif

#if defined(ISA_MVE)
/* Four at once; 0 where a shift is not above 32. */
static inline int requantize_four(const int32_t* acc, const int32_t* multiplier,
                                  const uint8_t* shift, uint8_t* out) {
  const int32x4_t less = vsubq_n_s32(vreinterpretq_s32_u32(vldrbq_u32(shift)), 32);
  if (RARELY(vcmpltq_n_s32(less, 1))) return 0;
  const int32x4_t high = vmulhq_s32(vld1q_s32(acc), vld1q_s32(multiplier));
  int32x4_t y = vrshlq_s32(high, vnegq_s32(less));
  y = vminq_s32(vmaxq_s32(y, vdupq_n_s32(-127)), vdupq_n_s32(127));
  vstrbq_u32(out, vreinterpretq_u32_s32(vaddq_n_s32(y, ZERO_POINT)));
  return 1;
}
#endif

void requantize_row(const int32_t* acc, const int32_t* multiplier, const uint8_t* shift,
                    size_t count, uint8_t* out) {
#if defined(ISA_DSP) || defined(ISA_MVE)
  for (; count >= 4; count -= 4, acc += 4, multiplier += 4, shift += 4, out += 4) {
    if (!requantize_four(acc, multiplier, shift, out)) {
      requantize_each(acc, multiplier, shift, 4, out);
    }
  }
#endif
  requantize_each(acc, multiplier, shift, count, out);
}

void requantize(const uint8_t* x, size_t rows, const Linear* p, uint8_t* out, void* scratch) {
  const size_t inputs = p->product.inputs, outputs = p->product.outputs;
  int32_t* acc = scratch;
  for (size_t row = 0; row < rows; row += 2) {
    const size_t count = rows - row < 2 ? 1 : 2;
    product(x + row * inputs, count, &p->product, acc, acc + 2 * outputs);
    for (size_t i = 0; i < count; ++i) {
      requantize_row(acc + i * outputs, p->scale.multiplier, p->scale.shift, outputs,
                     out + (row + i) * outputs);
    }
  }
}

static void look_up(uint8_t* row, const LookupLinear* p) {
  uint8_t* at = row;
  for (size_t run = 0; run < p->runs; ++run) {
    const uint8_t* const table = p->table[p->run_table[run]];
    for (uint8_t* const end = row + p->run_end[run]; at != end; ++at) *at = table[*at];
  }
}

void requantize_lookup(const uint8_t* x, size_t rows, const LookupLinear* p, uint8_t* out,
                       void* scratch) {
  const size_t outputs = p->linear.product.outputs;
  requantize(x, rows, &p->linear, out, scratch);
  for (size_t i = 0; i < rows; ++i) look_up(out + i * outputs, p);
}

void mean_pool(const uint8_t* x, size_t n, size_t channels, const Scale* p, uint8_t* out) {
  for (size_t k = 0; k < channels; ++k) {
    uint32_t sum = 0; /* 255 * 4096 tokens < 2^20, 512 of it < 2^29 */
    for (size_t i = 0; i < n; ++i) sum += x[i * channels + k];
    const uint32_t mean = (512 * sum + (uint32_t)n) / (2 * (uint32_t)n);
    const int32_t acc = (int32_t)mean - 256 * ZERO_POINT;
    requantize_row(&acc, p->multiplier + k, p->shift + k, 1, out + k);
  }
}
