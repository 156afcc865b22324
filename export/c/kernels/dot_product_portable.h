/* The definition. Keys and values are packed one after the other. */
#ifndef DOT_PRODUCT_PORTABLE_H
#define DOT_PRODUCT_PORTABLE_H

#include <stddef.h>
#include <stdint.h>

#include "kernels.h"

static void pack_keys(const uint8_t* k, size_t stride, size_t n, size_t d, uint8_t* packed) {
  for (size_t j = 0; j < n; ++j, k += stride) {
    for (size_t i = 0; i < d; ++i) *packed++ = k[i];
  }
}

static void pack_values(const uint8_t* v, size_t stride, size_t n, size_t d, uint8_t* packed) {
  pack_keys(v, stride, n, d, packed);
}

/* s [n] of a query's products with the keys, and their largest. */
static int32_t products(const uint8_t* query, const uint8_t* keys, size_t n, size_t d, int32_t* s,
                        void* buffer) {
  int32_t most = INT32_MIN;
  (void)buffer;
  for (size_t j = 0; j < n; ++j, keys += d) {
    s[j] = 0;
    for (size_t k = 0; k < d; ++k) s[j] += (query[k] - ZERO_POINT) * (keys[k] - ZERO_POINT);
    if (s[j] > most) most = s[j];
  }
  return most;
}

/* h [d] of exponentials e [n] and their sum. */
static void weigh(const uint8_t* values, const int32_t* e, uint32_t sum, size_t n, size_t d,
                  uint8_t* weights, int32_t* h) {
  for (size_t j = 0; j < n; ++j) {
    weights[j] = (uint8_t)((255 * (uint32_t)e[j] + sum / 2) / sum);
  }
  for (size_t k = 0; k < d; ++k) {
    h[k] = 0;
    for (size_t j = 0; j < n; ++j) h[k] += weights[j] * (values[j * d + k] - ZERO_POINT);
  }
}

#endif
