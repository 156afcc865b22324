/* SMLAD: two products of halves, added up, in an instruction.
 *
 * Bytes become halves once: a word holds two channels of a key, [keys / 4][channels / 2][4] with
 * even and odd channels as extension makes them, or a channel of two keys,
 * [channels / 4][keys / 2][4]. Keys and channels are filled up to fours with zeros. */
#ifndef DOT_PRODUCT_DSP_H
#define DOT_PRODUCT_DSP_H

#include "dsp.h"
#include "kernels.h"

/* (a * b + 2^31) >> 32. */
static inline int32_t rounded_high(int32_t a, int32_t b) {
  int32_t high;
  __asm__("smmulr %0, %1, %2" : "=r"(high) : "r"(a), "r"(b));
  return high;
}

/* Four values from k on, of row j, or zeros. */
static inline uint32_t four_of(const uint8_t* rows, size_t stride, size_t n, size_t d, size_t j,
                               size_t k) {
  uint32_t four = 0x80808080u;
  if (j < n && k + 4 <= d) {
    four = word(rows + j * stride + k);
  } else if (j < n) {
    memcpy(&four, rows + j * stride + k, d - k);
  }
  return four ^ 0x80808080u;
}

static void pack_keys(const uint8_t* rows, size_t stride, size_t n, size_t d, void* packed) {
  int32_t* to = packed;
  for (size_t j = 0; j < n; j += 4) {
    for (size_t k = 0; k < d; k += 4, to += 8) {
      for (size_t i = 0; i < 4; ++i) {
        const uint32_t four = four_of(rows, stride, n, d, j + i, k);
        to[i] = even_bytes(four);
        to[4 + i] = odd_bytes(four);
      }
    }
  }
}

static void pack_values(const uint8_t* rows, size_t stride, size_t n, size_t d, void* packed) {
  uint32_t* to = packed;
  for (size_t k = 0; k < d; k += 4) {
    for (size_t j = 0; j < ROUND_UP(n, 4); j += 2, to += 4) {
      const uint32_t first = four_of(rows, stride, n, d, j, k);
      const uint32_t second = four_of(rows, stride, n, d, j + 1, k);
      const uint32_t a = (uint32_t)even_bytes(first), b = (uint32_t)even_bytes(second);
      const uint32_t c = (uint32_t)odd_bytes(first), e = (uint32_t)odd_bytes(second);
      to[0] = (a & 0xffffu) | b << 16;
      to[1] = (c & 0xffffu) | e << 16;
      to[2] = a >> 16 | (b & 0xffff0000u);
      to[3] = c >> 16 | (e & 0xffff0000u);
    }
  }
}

/* Sums of products of pairs of halves: two words of x, each by four words of y, at a time; where
 * the next y are. */
APART static const int32_t* four_sums(const int32_t* x, const int32_t* end, const int32_t* y,
                                      int32_t* sums) {
  int32_t a = 0, b = 0, c = 0, d = 0;
  do
    __asm__ volatile(
        "ldrd r4, r5, [%[x]], #8\n"
        "ldm %[y]!, {r8, r9, r10, r11}\n"
        "smlad %[a], r4, r8, %[a]\n"
        "smlad %[b], r4, r9, %[b]\n"
        "smlad %[c], r4, r10, %[c]\n"
        "smlad %[d], r4, r11, %[d]\n"
        "ldm %[y]!, {r8, r9, r10, r11}\n"
        "smlad %[a], r5, r8, %[a]\n"
        "smlad %[b], r5, r9, %[b]\n"
        "smlad %[c], r5, r10, %[c]\n"
        "smlad %[d], r5, r11, %[d]\n"
        : [x] "+r"(x), [y] "+r"(y), [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d)
        :
        : "r4", "r5", "r8", "r9", "r10", "r11", "memory");
  while (x != end);
  sums[0] = a, sums[1] = b, sums[2] = c, sums[3] = d;
  return y;
}

static int32_t products(const uint8_t* query, const void* keys, size_t n, size_t d, int32_t* s,
                        int32_t* halves) {
  const int32_t *key = keys, *const end = halves + ROUND_UP(d, 4) / 2;
  int32_t most = INT32_MIN;
  for (size_t k = 0; k < d; k += 4) {
    const uint32_t four = four_of(query, 0, 1, d, 0, k);
    halves[k / 2] = even_bytes(four);
    halves[k / 2 + 1] = odd_bytes(four);
  }
  for (size_t j = 0; j < n; j += 4) key = four_sums(halves, end, key, s + j);
  for (const int32_t* const last = s + n; s != last; ++s) most = *s > most ? *s : most;
  return most;
}

/* Four channels at a time. */
static void weigh(const void* values, const int32_t* e, uint32_t sum, size_t n, size_t d,
                  void* weights, int32_t* h) {
  const size_t pairs = ROUND_UP(n, 4) / 2;
  const uint32_t half = sum / 2;
  const int32_t *v = values, *const end = (const int32_t*)weights + pairs;
  uint16_t* to = weights;
  for (size_t j = 0; j < n; ++j) to[j] = (uint16_t)((255 * (uint32_t)e[j] + half) / sum);
  for (size_t j = n; j < 2 * pairs; ++j) to[j] = 0;
  for (size_t k = 0; k < d; k += 4) v = four_sums(weights, end, v, h + k);
}

#endif
