/* The definition. Keys and values are packed one after the other. */
#ifndef INHIBITOR_PORTABLE_H
#define INHIBITOR_PORTABLE_H

#include <stddef.h>
#include <stdint.h>

#include "kernels.h"

static int32_t difference(uint8_t a, uint8_t b) { return a < b ? b - a : a - b; }

static const uint8_t* take_query(const uint8_t* q, size_t d, uint8_t* buffer) {
  (void)d, (void)buffer;
  return q;
}

static void pack_keys(const uint8_t* k, size_t stride, size_t n, size_t d, uint8_t* packed) {
  for (size_t j = 0; j < n; ++j, k += stride) {
    for (size_t i = 0; i < d; ++i) *packed++ = k[i];
  }
}

/* first [d]: what the sums begin with. */
static void pack_values(const uint8_t* v, size_t stride, size_t n, size_t d, int is_signed,
                        uint8_t* packed, int32_t* first) {
  for (size_t i = 0; i < d; ++i) first[i] = 0;
  for (size_t j = 0; j < n; ++j, v += stride) {
    for (size_t i = 0; i < d; ++i) {
      *packed++ = is_signed || v[i] > ZERO_POINT ? v[i] : ZERO_POINT;
    }
  }
}

/* s [n] of a query's distances, and their sum. */
static int32_t distances(const uint8_t* query, const uint8_t* keys, size_t n, size_t d,
                         int32_t* s) {
  int32_t sum = 0;
  for (size_t j = 0; j < n; ++j, keys += d) {
    s[j] = 0;
    for (size_t k = 0; k < d; ++k) s[j] += difference(query[k], keys[k]);
    sum += s[j];
  }
  return sum;
}

/* z = clamp((s * m + offset) >> shift, 0, 127). */
static void thresholds(const int32_t* s, size_t n, int32_t m, int32_t offset, unsigned shift,
                       uint8_t* z) {
  for (size_t j = 0; j < n; ++j) {
    const int32_t score = (s[j] * m + offset) >> shift;
    z[j] = (uint8_t)(score < 0 ? 0 : score > 127 ? 127 : score);
  }
}

/* h [d] of a query. */
static void inhibit(const uint8_t* values, const uint8_t* z, size_t n, size_t d,
                    const int32_t* first, int32_t* h) {
  for (size_t k = 0; k < d; ++k) {
    h[k] = first[k];
    for (size_t j = 0; j < n; ++j) {
      const int32_t v = values[j * d + k] - ZERO_POINT;
      h[k] += v > z[j] ? v - z[j] : v < -z[j] ? v + z[j] : 0;
    }
  }
}

#endif
