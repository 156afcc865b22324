/* VMLADAVA: sixteen products in an instruction. Keys lie as they come, values by channel, centred.
 * Weights reach 255: half of that is taken away and comes back with the sum of the values. */
#ifndef DOT_PRODUCT_MVE_H
#define DOT_PRODUCT_MVE_H

#include <arm_mve.h>

#include "kernels.h"

static void pack_keys(const uint8_t* k, size_t stride, size_t n, size_t d, int8_t* packed) {
  for (size_t j = 0; j < n; ++j, k += stride) {
    for (size_t i = 0; i < d; ++i) *packed++ = (int8_t)(k[i] - ZERO_POINT);
  }
}

static void pack_values(const uint8_t* v, size_t stride, size_t n, size_t d, int8_t* packed) {
  for (size_t k = 0; k < d; ++k) {
    for (size_t j = 0; j < n; ++j) *packed++ = (int8_t)(v[j * stride + k] - ZERO_POINT);
  }
}

static int32_t products(const uint8_t* query, const int8_t* keys, size_t n, size_t d, int32_t* s,
                        void* buffer) {
  int8_t* centred = buffer;
  int32_t most = INT32_MIN;
  for (size_t k = 0; k < d; ++k) centred[k] = (int8_t)(query[k] - ZERO_POINT);
  for (size_t j = 0; j < n; ++j, keys += d) {
    s[j] = 0;
    for (size_t k = 0; k < d; k += 16) {
      const mve_pred16_t left = vctp8q((uint32_t)(d - k));
      s[j] = vmladavaq_s8(s[j], vld1q_z_s8(centred + k, left), vld1q_z_s8(keys + k, left));
    }
    if (s[j] > most) most = s[j];
  }
  return most;
}

static void weigh(const int8_t* values, const int32_t* e, uint32_t sum, size_t n, size_t d,
                  int8_t* weights, int32_t* h) {
  for (size_t j = 0; j < n; ++j) {
    weights[j] = (int8_t)((int32_t)((255 * (uint32_t)e[j] + sum / 2) / sum) - 128);
  }
  for (size_t k = 0; k < d; ++k, values += n) {
    int32_t total = 0;
    h[k] = 0;
    for (size_t j = 0; j < n; j += 16) {
      const mve_pred16_t left = vctp8q((uint32_t)(n - j));
      const int8x16_t v = vld1q_z_s8(values + j, left);
      h[k] = vmladavaq_s8(h[k], vld1q_z_s8(weights + j, left), v);
      total = vaddvaq_s8(total, v);
    }
    h[k] += 128 * total;
  }
}

#endif
