/* VABAV: sixteen absolute differences, added up, in an instruction. VQSUB: sixteen subtractions
 * that end at 0.
 *
 * Keys lie one after the other; values by fours of channels, each as 16 magnitudes and 16 masks,
 * [channels / 4][keys / 16][4][2][16]. Channels of keys and keys of values are filled up to
 * sixteens with what changes no sum. */
#ifndef INHIBITOR_MVE_H
#define INHIBITOR_MVE_H

#include <arm_mve.h>
#include <string.h>

#include "kernels.h"

/* A row of d bytes with zero points behind them. */
static uint8_t* fill_up(const uint8_t* from, size_t d, uint8_t* to) {
  memset(to + d, ZERO_POINT, ROUND_UP(d, 16) - d);
  memcpy(to, from, d);
  return to + ROUND_UP(d, 16);
}

static const uint8_t* take_query(const uint8_t* q, size_t d, uint8_t* buffer) {
  if (d % 16 == 0) return q;
  fill_up(q, d, buffer);
  return buffer;
}

static void pack_keys(const uint8_t* k, size_t stride, size_t n, size_t d, uint8_t* packed) {
  for (size_t j = 0; j < n; ++j, k += stride) packed = fill_up(k, d, packed);
  memset(packed, ZERO_POINT, (ROUND_UP(n, 4) - n) * ROUND_UP(d, 16));
}

/* Sixteen keys' values of a channel, those from `keys` on being none; the masked ones. */
static int32_t pack_channel(const uint8_t* v, size_t stride, size_t keys, int is_signed,
                            uint8_t* magnitude) {
  uint8_t* const mask = magnitude + 16;
  int32_t masked = 0;
  memset(magnitude, 0, 32);
  for (size_t j = 0; j < keys && j < 16; ++j, v += stride) {
    const int32_t value = *v - ZERO_POINT;
    if (value > 0) magnitude[j] = (uint8_t)value;
    if (value < 0 && is_signed) magnitude[j] = (uint8_t)-value, mask[j] = 255, ++masked;
  }
  return masked;
}

/* first [d]: -255 for each masked key. */
static void pack_values(const uint8_t* v, size_t stride, size_t n, size_t d, int is_signed,
                        uint8_t* packed, int32_t* first) {
  for (size_t k = 0; k < ROUND_UP(d, 4); k += 4) {
    for (size_t i = 0; i < 4; ++i) first[k + i] = 0;
    for (size_t j = 0; j < n; j += 16) {
      for (size_t i = 0; i < 4; ++i, packed += 32) {
        const size_t keys = k + i < d ? n - j : 0;
        first[k + i] -= 255 * pack_channel(v + j * stride + k + i, stride, keys, is_signed, packed);
      }
    }
  }
}

/* Four keys at a time. */
static int32_t distances(const uint8_t* query, const uint8_t* keys, size_t n, size_t d,
                         int32_t* s) {
  const size_t width = ROUND_UP(d, 16);
  int32_t sum = 0;
  for (size_t j = 0; j < n; j += 4, keys += 3 * width) {
    uint32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (size_t k = 0; k < width; k += 16, keys += 16) {
      const uint8x16_t q = vld1q_u8(query + k);
      s0 = vabavq_u8(s0, q, vld1q_u8(keys));
      s1 = vabavq_u8(s1, q, vld1q_u8(keys + width));
      s2 = vabavq_u8(s2, q, vld1q_u8(keys + 2 * width));
      s3 = vabavq_u8(s3, q, vld1q_u8(keys + 3 * width));
    }
    s[j] = (int32_t)s0, s[j + 1] = (int32_t)s1, s[j + 2] = (int32_t)s2, s[j + 3] = (int32_t)s3;
    for (size_t i = j; i < n && i < j + 4; ++i) sum += s[i];
  }
  return sum;
}

static void thresholds(const int32_t* s, size_t n, int32_t m, int32_t offset, unsigned shift,
                       uint8_t* bytes) {
  for (size_t j = 0; j < n; j += 4) {
    int32x4_t z = vmlaq_n_s32(vdupq_n_s32(offset), vld1q_s32(s + j), m);
    z = vmaxq_s32(vshlq_r_s32(z, -(int32_t)shift), vdupq_n_s32(0));
    vstrbq_u32(bytes + j, vreinterpretq_u32_s32(vminq_s32(z, vdupq_n_s32(127))));
  }
}

/* What a threshold lets through of sixteen values, and their masks behind them. */
static inline uint32_t pass(uint32_t sum, const uint8_t* values, uint8x16_t z) {
  return vabavq_u8(sum, vqsubq_u8(vld1q_u8(values), z), vld1q_u8(values + 16));
}

/* Four channels at a time. */
static void inhibit(const uint8_t* values, const uint8_t* bytes, size_t n, size_t d,
                    const int32_t* first, int32_t* h) {
  for (size_t k = 0; k < d; k += 4) {
    uint32_t h0 = (uint32_t)first[k], h1 = (uint32_t)first[k + 1];
    uint32_t h2 = (uint32_t)first[k + 2], h3 = (uint32_t)first[k + 3];
    for (size_t j = 0; j < n; j += 16, values += 128) {
      const uint8x16_t z = vld1q_u8(bytes + j);
      h0 = pass(h0, values, z);
      h1 = pass(h1, values + 32, z);
      h2 = pass(h2, values + 64, z);
      h3 = pass(h3, values + 96, z);
    }
    h[k] = (int32_t)h0, h[k + 1] = (int32_t)h1, h[k + 2] = (int32_t)h2, h[k + 3] = (int32_t)h3;
  }
}

#endif
