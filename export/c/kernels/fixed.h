/* Requantization in 32 bits where the shift allows it, which is nearly always. */
#ifndef FIXED_H
#define FIXED_H

#include <stdint.h>

#include "isa.h"
#include "kernels.h"

#if defined(ISA_DSP)
#include <arm_acle.h>
#define SATURATE(x, bits) ((int32_t)__builtin_arm_ssat(x, bits)) /* __ssat warns of itself */
#else
#define SATURATE(x, bits) (x) /* the limits say it all */
#endif

#if defined(__GNUC__)
#define RARELY(condition) __builtin_expect(condition, 0)
#define NARROW                                                                      \
  __attribute__((noinline)) /* or the compiler sees that an argument was once wider \
                             */
#else
#define RARELY(condition) (condition)
#define NARROW
#endif

/* (acc * multiplier + 2^(shift-1)) >> shift within +-limit; |acc| < 2^28, 1 <= shift <= 62. */
int32_t scale_wide(int32_t acc, int32_t multiplier, unsigned shift, int32_t limit);

/* (n * weight + bias) >> shift within +-127; |n * weight + bias| < 2^60. */
int32_t weigh_wide(int32_t n, int32_t weight, int64_t bias, unsigned shift);

/* The same before the limits where shift > 32: the lower half of the product, to which nothing is
 * added, is lost anyway. Rounding after shift - 1 bits is floor(x + 1/2), too. */
static inline int32_t scale_high(int32_t acc, int32_t multiplier, unsigned shift) {
  const int32_t high = (int32_t)(((int64_t)acc * multiplier) >> 32);
  return ((high >> (shift - 33)) + 1) >> 1;
}

static inline int32_t limit(int32_t x, int32_t most) {
  return x < -most ? -most : x > most ? most : x;
}

/* A value as a byte: zero point 128, within 1..255. */
static inline uint8_t byte(int32_t x) {
#if defined(ISA_DSP)
  const uint32_t y = (uint32_t)__builtin_arm_usat(x + ZERO_POINT, 8);
  return (uint8_t)(y ? y : 1);
#else
  return (uint8_t)(limit(x, 127) + ZERO_POINT);
#endif
}

/* acc [count] to bytes. */
void requantize_row(const int32_t* acc, const int32_t* multiplier, const uint8_t* shift,
                    size_t count, uint8_t* out);

#endif
