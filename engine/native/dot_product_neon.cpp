// Dot-product attention with NEON, and with its dot product, which multiplies and adds four bytes
// at once. Queries and keys become int8 by xor 128; values stay bytes with their zero point.
#include "dot_product.h"
#include "pack.h"
#include "vectors_neon.h"

#if defined(__aarch64__)

namespace inhibi {
namespace {

void pack_keys(const uint8_t* keys, size_t stride, size_t n, size_t d, uint8_t* packed) {
  pack_fours(keys, stride, n, d, 128, packed);
}

inline int8x16_t query4(const uint8_t* from) {
  return vreinterpretq_s8_u8(veorq_u8(repeat4(from), vdupq_n_u8(128)));
}

inline int8x16_t key4(const uint8_t* from) { return vreinterpretq_s8_u8(vld1q_u8(from)); }

// Four queries by 16 keys.
DOTPROD void products_dotprod(const uint8_t* query, const uint8_t* packed, size_t d, size_t blocks,
                              int32_t* s) {
  for (size_t first = 0; first < queries; first += 4, query += 4 * d) {
    for (size_t block = 0; block < blocks; ++block) {
      const uint8_t* chunk = packed + block * packed_bytes(d);
      int32x4_t acc[4][4] = {};
      for (size_t k = 0; k < d; k += 4, chunk += 64) {
        const int8x16_t key[4] = {key4(chunk), key4(chunk + 16), key4(chunk + 32),
                                  key4(chunk + 48)};
        UNROLL for (size_t i = 0; i < 4; ++i) {
          const int8x16_t q = query4(query + i * d + k);
          UNROLL for (size_t r = 0; r < 4; ++r) acc[i][r] = vdotq_s32(acc[i][r], key[r], q);
        }
      }
      UNROLL for (size_t i = 0; i < 4; ++i) {
        int32_t* row = s + ((first + i) * blocks + block) * block_keys;
        UNROLL for (size_t r = 0; r < 4; ++r) vst1q_s32(row + 4 * r, acc[i][r]);
      }
    }
  }
}

// Two queries by 16 keys: SMULL, whose products of -128 fit 16 bits alone, and SADALP.
void products(const uint8_t* query, const uint8_t* packed, size_t d, size_t blocks, int32_t* s) {
  for (size_t first = 0; first < queries; first += 2, query += 2 * d) {
    for (size_t block = 0; block < blocks; ++block) {
      const uint8_t* chunk = packed + block * packed_bytes(d);
      int32x4_t low[2][4] = {}, high[2][4] = {};
      for (size_t k = 0; k < d; k += 4, chunk += 64) {
        UNROLL for (size_t i = 0; i < 2; ++i) {
          const int8x16_t q = query4(query + i * d + k);
          UNROLL for (size_t r = 0; r < 4; ++r) {
            const int8x16_t key = key4(chunk + 16 * r);
            low[i][r] = vpadalq_s16(low[i][r], vmull_s8(vget_low_s8(key), vget_low_s8(q)));
            high[i][r] = vpadalq_s16(high[i][r], vmull_high_s8(key, q));
          }
        }
      }
      UNROLL for (size_t i = 0; i < 2; ++i) {
        int32_t* row = s + ((first + i) * blocks + block) * block_keys;
        UNROLL for (size_t r = 0; r < 4; ++r) {
          vst1q_s32(row + 4 * r, vpaddq_s32(low[i][r], high[i][r]));
        }
      }
    }
  }
}

// One query's weights in place of its scores [keys]; the places beyond n repeat key 0.
void row_weights(int32_t* row, size_t n, size_t keys, int32_t multiplier, int32_t offset,
                 int32_t shift, const uint16_t* table) {
  const uint32x4_t limit = vdupq_n_u32(static_cast<uint32_t>(largest_gap(multiplier, shift)));
  const uint64x2_t start = vdupq_n_u64(static_cast<uint64_t>(offset));
  const uint32_t factor = static_cast<uint32_t>(multiplier);
  const int64x2_t right = vdupq_n_s64(-shift);
  int32x4_t most = vld1q_s32(row);
  for (size_t j = 4; j < keys; j += 4) most = vmaxq_s32(most, vld1q_s32(row + j));
  most = vdupq_n_s32(vmaxvq_s32(most));
  for (size_t j = 0; j < keys; j += 4) {
    const int32x4_t difference = vsubq_s32(most, vld1q_s32(row + j));
    const uint32x4_t gap = vminq_u32(vreinterpretq_u32_s32(difference), limit);
    const uint64x2_t low = vmlal_n_u32(start, vget_low_u32(gap), factor);
    const uint64x2_t high = vmlal_n_u32(start, vget_high_u32(gap), factor);
    const uint32x4_t index =
        vcombine_u32(vmovn_u64(vshlq_u64(low, right)), vmovn_u64(vshlq_u64(high, right)));
    vst1q_s32(row + j, vreinterpretq_s32_u32(vminq_u32(index, vdupq_n_u32(255))));
  }
  for (size_t j = 0; j < keys; ++j) row[j] = table[row[j]];
  int64_t sum = 0;
  for (size_t j = 0; j < n; ++j) sum += row[j];
  const Reciprocal by(sum);
  for (size_t j = 0; j < keys; ++j) row[j] = static_cast<int32_t>(row[j] * by.factor + by.start);
}

void weights(int32_t* s, size_t n, size_t blocks, int32_t multiplier, int32_t offset, int32_t shift,
             const uint16_t* table, uint8_t* p) {
  const size_t keys = blocks * block_keys;
  for (size_t first = 0; first < queries; first += 4, s += 4 * keys) {
    for (size_t i = 0; i < 4; ++i) {
      row_weights(s + i * keys, n, keys, multiplier, offset, shift, table);
    }
    for (size_t j = 0; j < keys; j += 4, p += 16) {
      int32x4_t four[4];
      UNROLL for (size_t i = 0; i < 4; ++i) four[i] = vld1q_s32(s + i * keys + j);
      vst1q_u8(p, bytes_of(four));
    }
  }
}

// 128 * sum_j P_ij of four queries, [query]. It and the bytes count the places beyond n alike,
// whose values are zero points: they cancel.
inline void zero_points(const uint8_t* p, size_t groups, int32_t* sums) {
  uint32x4_t sum = {};
  for (size_t group = 0; group < groups; ++group) {
    sum = vpadalq_u16(sum, vpaddlq_u8(vld1q_u8(p + group * 16)));
  }
  vst1q_s32(sums, vreinterpretq_s32_u32(vshlq_n_u32(sum, 7)));
}

inline void store(int32_t* h, uint32x4_t products, int32_t zero_point) {
  vst1q_s32(h, vsubq_s32(vreinterpretq_s32_u32(products), vdupq_n_s32(zero_point)));
}

// Four queries by 16 channels.
DOTPROD void weigh_dotprod(const uint8_t* p, const uint8_t* values, size_t groups, size_t blocks,
                           size_t width, int32_t* h) {
  int32_t zero_point[4];
  for (size_t first = 0; first < queries; first += 4, p += blocks * 64, h += 4 * width) {
    zero_points(p, groups, zero_point);
    for (size_t k = 0; k < width; k += 16) {
      uint32x4_t acc[4][4] = {};
      for (size_t group = 0; group < groups; ++group) {
        const uint8_t* value = values + (group * width + k) * 4;
        UNROLL for (size_t r = 0; r < 4; ++r) {
          const uint8x16_t four = vld1q_u8(value + 16 * r);
          UNROLL for (size_t i = 0; i < 4; ++i) {
            acc[i][r] = vdotq_u32(acc[i][r], four, repeat4(p + group * 16 + 4 * i));
          }
        }
      }
      UNROLL for (size_t i = 0; i < 4; ++i) {
        UNROLL for (size_t r = 0; r < 4; ++r) {
          store(h + i * width + k + 4 * r, acc[i][r], zero_point[i]);
        }
      }
    }
  }
}

// Two queries by 16 channels: UMULL and UADALP.
void weigh(const uint8_t* p, const uint8_t* values, size_t groups, size_t blocks, size_t width,
           int32_t* h) {
  int32_t zero_point[4];
  for (size_t first = 0; first < queries; first += 2, h += 2 * width) {
    const uint8_t* four_queries = p + first / 4 * blocks * 64;
    zero_points(four_queries, groups, zero_point);
    for (size_t k = 0; k < width; k += 16) {
      uint32x4_t low[2][4] = {}, high[2][4] = {};
      for (size_t group = 0; group < groups; ++group) {
        const uint8_t* value = values + (group * width + k) * 4;
        UNROLL for (size_t i = 0; i < 2; ++i) {
          const uint8x16_t weight = repeat4(four_queries + group * 16 + (first % 4 + i) * 4);
          UNROLL for (size_t r = 0; r < 4; ++r) {
            const uint8x16_t four = vld1q_u8(value + 16 * r);
            low[i][r] = vpadalq_u16(low[i][r], vmull_u8(vget_low_u8(four), vget_low_u8(weight)));
            high[i][r] = vpadalq_u16(high[i][r], vmull_high_u8(four, weight));
          }
        }
      }
      UNROLL for (size_t i = 0; i < 2; ++i) {
        UNROLL for (size_t r = 0; r < 4; ++r) {
          store(h + i * width + k + 4 * r, vpaddq_u32(low[i][r], high[i][r]),
                zero_point[first % 4 + i]);
        }
      }
    }
  }
}

}  // namespace

const InhibiDotProductKernels dot_product_neon = {pack_keys, products, weights, pack_bytes_neon,
                                                  weigh};
const InhibiDotProductKernels dot_product_dotprod = {pack_keys, products_dotprod, weights,
                                                     pack_bytes_neon, weigh_dotprod};

}  // namespace inhibi

#endif
