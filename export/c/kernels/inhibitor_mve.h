/* VABAV: sixteen absolute differences, added up, in an instruction. VQSUB: sixteen subtractions that
 * end at 0.
 *
 * Keys lie as they come, [n][d]; values by channel as magnitudes [n], then masks [n]. */
#ifndef INHIBITOR_MVE_H
#define INHIBITOR_MVE_H

#include <arm_mve.h>

#include "kernels.h"

static const uint8_t *take_query(const uint8_t *q, size_t d, uint8_t *buffer) {
  (void)d, (void)buffer;
  return q;
}

static void pack_keys(const uint8_t *k, size_t stride, size_t n, size_t d, uint8_t *packed) {
  for (size_t j = 0; j < n; ++j, k += stride) {
    for (size_t i = 0; i < d; ++i) *packed++ = k[i];
  }
}

/* first [d]: -255 for each masked key. */
static void pack_values(const uint8_t *v, size_t stride, size_t n, size_t d, int is_signed,
                        uint8_t *packed, int32_t *first) {
  for (size_t k = 0; k < d; ++k, packed += 2 * n) {
    first[k] = 0;
    for (size_t j = 0; j < n; ++j) {
      const int32_t value = v[j * stride + k] - ZERO_POINT;
      const int masked = value < 0 && is_signed;
      packed[j] = (uint8_t)(value > 0 ? value : masked ? -value : 0);
      packed[n + j] = masked ? 255 : 0;
      first[k] -= packed[n + j];
    }
  }
}

static int32_t distances(const uint8_t *query, const uint8_t *keys, size_t n, size_t d,
                         int32_t *s) {
  uint32_t sum = 0;
  for (size_t j = 0; j < n; ++j, keys += d) {
    uint32_t distance = 0;
    for (size_t k = 0; k < d; k += 16) {
      const mve_pred16_t left = vctp8q((uint32_t)(d - k));
      distance = vabavq_p_u8(distance, vld1q_z_u8(query + k, left), vld1q_z_u8(keys + k, left), left);
    }
    s[j] = (int32_t)distance;
    sum += distance;
  }
  return (int32_t)sum;
}

static void thresholds(const int32_t *s, size_t n, int32_t m, int32_t offset, unsigned shift,
                       uint8_t *bytes) {
  for (size_t j = 0; j < n; j += 4) {
    const mve_pred16_t left = vctp32q((uint32_t)(n - j));
    int32x4_t z = vmlaq_n_s32(vdupq_n_s32(offset), vld1q_z_s32(s + j, left), m);
    z = vmaxq_s32(vshlq_r_s32(z, -(int32_t)shift), vdupq_n_s32(0));
    vstrbq_p_u32(bytes + j, vreinterpretq_u32_s32(vminq_s32(z, vdupq_n_s32(127))), left);
  }
}

static void inhibit(const uint8_t *values, const uint8_t *bytes, size_t n, size_t d,
                    const int32_t *first, int32_t *h) {
  for (size_t k = 0; k < d; ++k, values += 2 * n) {
    uint32_t sum = (uint32_t)first[k];
    for (size_t j = 0; j < n; j += 16) {
      const mve_pred16_t left = vctp8q((uint32_t)(n - j));
      const uint8x16_t z = vld1q_z_u8(bytes + j, left);
      const uint8x16_t passed = vqsubq_u8(vld1q_z_u8(values + j, left), z);
      sum = vabavq_p_u8(sum, passed, vld1q_z_u8(values + n + j, left), left);
    }
    h[k] = (int32_t)sum;
  }
}

#endif
