/* USADA8: four absolute differences, added up, in an instruction. UQSUB8: four subtractions that
 * end at 0.
 *
 * A word holds 4 channels of a key, [keys / 4][channels / 4][4], or a channel of 4 keys: magnitudes
 * and masks, [channels / 4][keys / 4][4][2]. Keys and channels are filled up to eights with zero
 * points, which are no distance from each other and of magnitude 0. */
#ifndef INHIBITOR_DSP_H
#define INHIBITOR_DSP_H

#include "dsp.h"
#include "kernels.h"

#define MIDDLE 0x80808080u

/* Up to four bytes, zero points behind them. */
static uint32_t some(const uint8_t* from, size_t count) {
  uint32_t value = MIDDLE;
  memcpy(&value, from, count < 4 ? count : 4);
  return value;
}

static const uint8_t* take_query(const uint8_t* q, size_t d, uint8_t* buffer) {
  if (d % 8 == 0) return q;
  for (size_t k = 0; k < ROUND_UP(d, 8); k += 4) {
    const uint32_t four = k < d ? some(q + k, d - k) : MIDDLE;
    memcpy(buffer + k, &four, 4);
  }
  return buffer;
}

/* Four channels from k on of key j, or zero points. */
static uint32_t four_of(const uint8_t* rows, size_t stride, size_t n, size_t d, size_t j,
                        size_t k) {
  if (j >= n || k >= d) return MIDDLE;
  return d - k < 4 ? some(rows + j * stride + k, d - k) : word(rows + j * stride + k);
}

/* The same of four keys, from j on. */
static inline void square_of(const uint8_t* rows, size_t stride, size_t n, size_t d, size_t j,
                             size_t k, uint32_t square[4]) {
  if (j + 4 <= n && k + 4 <= d) {
    const uint8_t* from = rows + j * stride + k;
    square[0] = word(from), square[1] = word(from + stride);
    square[2] = word(from + 2 * stride), square[3] = word(from + 3 * stride);
  } else {
    for (size_t i = 0; i < 4; ++i) square[i] = four_of(rows, stride, n, d, j + i, k);
  }
}

static void pack_keys(const uint8_t* rows, size_t stride, size_t n, size_t d, void* packed) {
  uint32_t* to = packed;
  for (size_t j = 0; j < ROUND_UP(n, 8); j += 4) {
    for (size_t k = 0; k < ROUND_UP(d, 8); k += 4, to += 4) {
      square_of(rows, stride, n, d, j, k, to);
    }
  }
}

/* Halves 0 and 2, or 1 and 3, of two words of bytes. */
static inline uint32_t even_pairs(uint32_t low, uint32_t high) {
  return (low & 0xff00ffu) | (high & 0xff00ffu) << 8;
}

static inline uint32_t odd_pairs(uint32_t low, uint32_t high) {
  return (low >> 8 & 0xff00ffu) | (high & 0xff00ff00u);
}

/* A square of bytes, turned over: rows of 4 keys to columns of 4 channels. */
static inline void turn(const uint32_t rows[4], uint32_t* columns) {
  const uint32_t a = even_pairs(rows[0], rows[1]), b = even_pairs(rows[2], rows[3]);
  const uint32_t c = odd_pairs(rows[0], rows[1]), d = odd_pairs(rows[2], rows[3]);
  columns[0] = (a & 0xffffu) | b << 16;
  columns[1] = (c & 0xffffu) | d << 16;
  columns[2] = a >> 16 | (b & 0xffff0000u);
  columns[3] = c >> 16 | (d & 0xffff0000u);
}

/* Values of a channel to magnitudes and masks; the sum of the masks is added to. */
static inline uint32_t split(uint32_t bytes, uint32_t sum, uint32_t* to) {
  const int8x4_t value = (int8x4_t)(bytes ^ MIDDLE);
  const int8x4_t negated =
      __ssub8(0, value); /* and a flag for each byte, where it is not below 0 */
  to[0] = (uint32_t)__sel((uint8x4_t)negated, (uint8x4_t)value);
  to[1] = (uint32_t)__sel(0xffffffffu, 0);
  return __usada8(to[1], 0, sum);
}

/* Unsigned: negative values are 0, no mask. */
static inline void keep_positive(uint32_t bytes, uint32_t* to) {
  to[0] = (uint32_t)__uqsub8(bytes, MIDDLE);
  to[1] = 0;
}

/* first [d]: -255 for each masked key. */
static void pack_values(const uint8_t* rows, size_t stride, size_t n, size_t d, int is_signed,
                        void* packed, int32_t* first) {
  const size_t width = ROUND_UP(d, 8);
  uint32_t* to = packed;
  for (size_t k = 0; k < width; k += 4, first += 4) {
    uint32_t a = 0, b = 0, c = 0, e = 0;
    for (size_t j = 0; j < ROUND_UP(n, 8); j += 4, to += 8) {
      uint32_t square[4], columns[4];
      square_of(rows, stride, n, d, j, k, square);
      turn(square, columns);
      if (is_signed) {
        a = split(columns[0], a, to), b = split(columns[1], b, to + 2);
        c = split(columns[2], c, to + 4), e = split(columns[3], e, to + 6);
      } else {
        for (size_t i = 0; i < 4; ++i) keep_positive(columns[i], to + 2 * i);
      }
    }
    first[0] = -(int32_t)a, first[1] = -(int32_t)b, first[2] = -(int32_t)c, first[3] = -(int32_t)e;
  }
}

/* Of a query from four keys, 8 channels at a time; where the next keys are. */
APART static const uint32_t* four_distances(const uint8_t* query, const uint8_t* end,
                                            const uint32_t* keys, int32_t* s) {
  uint32_t a = 0, b = 0, c = 0, d = 0;
  do
    __asm__ volatile(
        "ldrd r4, r5, [%[q]], #8\n"
        "ldm %[k]!, {r8, r9, r10, r11}\n"
        "usada8 %[a], r4, r8, %[a]\n"
        "usada8 %[b], r4, r9, %[b]\n"
        "usada8 %[c], r4, r10, %[c]\n"
        "usada8 %[d], r4, r11, %[d]\n"
        "ldm %[k]!, {r8, r9, r10, r11}\n"
        "usada8 %[a], r5, r8, %[a]\n"
        "usada8 %[b], r5, r9, %[b]\n"
        "usada8 %[c], r5, r10, %[c]\n"
        "usada8 %[d], r5, r11, %[d]\n"
        : [q] "+r"(query), [k] "+r"(keys), [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d)
        :
        : "r4", "r5", "r8", "r9", "r10", "r11", "memory");
  while (query != end);
  s[0] = (int32_t)a, s[1] = (int32_t)b, s[2] = (int32_t)c, s[3] = (int32_t)d;
  return keys;
}

static int32_t distances(const uint8_t* query, const void* keys, size_t n, size_t d, int32_t* s) {
  const uint32_t* key = keys;
  const uint8_t* const end = query + ROUND_UP(d, 8);
  int32_t sum = 0;
  size_t j = 0;
  for (; j + 4 <= n; j += 4, s += 4) {
    key = four_distances(query, end, key, s);
    sum += s[0] + s[1] + s[2] + s[3];
  }
  for (; j < ROUND_UP(n, 8); j += 4, s += 4) {
    key = four_distances(query, end, key, s);
    for (size_t i = 0; i < 4 && j + i < n; ++i) sum += s[i];
  }
  return sum;
}

static void thresholds(const int32_t* s, size_t n, int32_t m, int32_t offset, unsigned shift,
                       void* bytes) {
  uint32_t* to = bytes;
  for (uint32_t* const end = to + ROUND_UP(n, 8) / 4; to != end; s += 4) {
    uint32_t z = (uint32_t)__usat((s[0] * m + offset) >> shift, 7);
    z |= (uint32_t)__usat((s[1] * m + offset) >> shift, 7) << 8;
    z |= (uint32_t)__usat((s[2] * m + offset) >> shift, 7) << 16;
    z |= (uint32_t)__usat((s[3] * m + offset) >> shift, 7) << 24;
    *to++ = z;
  }
}

/* h of four channels, from their first on, over all keys, 8 at a time; where the next values are.
 */
APART static const uint32_t* four_channels(const uint32_t* values, const uint32_t* z,
                                           const uint32_t* end, const int32_t* first, int32_t* h) {
  int32_t a = first[0], b = first[1], c = first[2], d = first[3];
#define FOUR_KEYS(z)                \
  "ldm %[v]!, {r8, r9, r10, r11}\n" \
  "uqsub8 r8, r8, " z               \
  "\n"                              \
  "uqsub8 r10, r10, " z             \
  "\n"                              \
  "usada8 %[a], r8, r9, %[a]\n"     \
  "usada8 %[b], r10, r11, %[b]\n"   \
  "ldm %[v]!, {r8, r9, r10, r11}\n" \
  "uqsub8 r8, r8, " z               \
  "\n"                              \
  "uqsub8 r10, r10, " z             \
  "\n"                              \
  "usada8 %[c], r8, r9, %[c]\n"     \
  "usada8 %[d], r10, r11, %[d]\n"
  do
    __asm__ volatile(
        "ldrd r4, r5, [%[z]], #8\n" FOUR_KEYS("r4") FOUR_KEYS("r5")
        : [v] "+r"(values), [z] "+r"(z), [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d)
        :
        : "r4", "r5", "r8", "r9", "r10", "r11", "memory");
  while (z != end);
#undef FOUR_KEYS
  h[0] = a, h[1] = b, h[2] = c, h[3] = d;
  return values;
}

static void inhibit(const void* values, const void* bytes, size_t n, size_t d, const int32_t* first,
                    int32_t* h) {
  const uint32_t *v = values, *const z = bytes, *const end = z + ROUND_UP(n, 8) / 4;
  for (size_t k = 0; k < d; k += 4) v = four_channels(v, z, end, first + k, h + k);
}

#endif
