// The inhibitor with NEON, and with its dot product, which adds up four bytes at once.
//
// Four queries by 16 keys or channels at a time: a register is 4 keys' chunks of 4 bytes, or 4
// channels of 4 keys.
#include "inhibitor.h"
#include "pack.h"
#include "vectors_neon.h"

#if defined(__aarch64__)

namespace inhibi {
namespace {

void pack_keys(const uint8_t* keys, size_t stride, size_t n, size_t d, uint8_t* packed) {
  pack_fours(keys, stride, n, d, 0, packed);
}

// UABD and UDOT.
DOTPROD void distances_dotprod(const uint8_t* query, const uint8_t* packed, size_t d, size_t blocks,
                               int32_t* s, int64_t* sums) {
  const uint8x16_t ones = vdupq_n_u8(1);
  for (size_t first = 0; first < queries; first += 4, query += 4 * d) {
    uint32x4_t sum[4] = {};
    for (size_t block = 0; block < blocks; ++block) {
      const uint8_t* chunk = packed + block * packed_bytes(d);
      uint32x4_t acc[4][4] = {};
      for (size_t k = 0; k < d; k += 4, chunk += 64) {
        const uint8x16_t key[4] = {vld1q_u8(chunk), vld1q_u8(chunk + 16), vld1q_u8(chunk + 32),
                                   vld1q_u8(chunk + 48)};
        UNROLL for (size_t i = 0; i < 4; ++i) {
          const uint8x16_t q = repeat4(query + i * d + k);
          UNROLL for (size_t r = 0; r < 4; ++r) {
            acc[i][r] = vdotq_u32(acc[i][r], vabdq_u8(key[r], q), ones);
          }
        }
      }
      UNROLL for (size_t i = 0; i < 4; ++i) {
        int32_t* row = s + ((first + i) * blocks + block) * block_keys;
        UNROLL for (size_t r = 0; r < 4; ++r) {
          sum[i] = vaddq_u32(sum[i], acc[i][r]);
          vst1q_s32(row + 4 * r, vreinterpretq_s32_u32(acc[i][r]));
        }
      }
    }
    for (size_t i = 0; i < 4; ++i) sums[first + i] = static_cast<int64_t>(vaddlvq_u32(sum[i]));
  }
}

// UABD and UADALP: a 16-bit lane gets two bytes of each chunk, 64*255 of a head of 128.
void distances(const uint8_t* query, const uint8_t* packed, size_t d, size_t blocks, int32_t* s,
               int64_t* sums) {
  for (size_t first = 0; first < queries; first += 4, query += 4 * d) {
    uint32x4_t sum[4] = {};
    for (size_t block = 0; block < blocks; ++block) {
      const uint8_t* chunk = packed + block * packed_bytes(d);
      uint16x8_t acc[4][4] = {};
      for (size_t k = 0; k < d; k += 4, chunk += 64) {
        const uint8x16_t key[4] = {vld1q_u8(chunk), vld1q_u8(chunk + 16), vld1q_u8(chunk + 32),
                                   vld1q_u8(chunk + 48)};
        UNROLL for (size_t i = 0; i < 4; ++i) {
          const uint8x16_t q = repeat4(query + i * d + k);
          UNROLL for (size_t r = 0; r < 4; ++r) {
            acc[i][r] = vpadalq_u8(acc[i][r], vabdq_u8(key[r], q));
          }
        }
      }
      UNROLL for (size_t i = 0; i < 4; ++i) {
        int32_t* row = s + ((first + i) * blocks + block) * block_keys;
        UNROLL for (size_t r = 0; r < 4; ++r) {
          const uint32x4_t distance = vpaddlq_u16(acc[i][r]);
          sum[i] = vaddq_u32(sum[i], distance);
          vst1q_s32(row + 4 * r, vreinterpretq_s32_u32(distance));
        }
      }
    }
    for (size_t i = 0; i < 4; ++i) sums[first + i] = static_cast<int64_t>(vaddlvq_u32(sum[i]));
  }
}

void thresholds(const int32_t* s, size_t blocks, int32_t multiplier, const int64_t* offset,
                int32_t shift, uint8_t* z) {
  const size_t keys = blocks * block_keys;
  const int32x4_t right = vdupq_n_s32(-shift);
  for (size_t first = 0; first < queries; first += 4) {
    for (size_t j = 0; j < keys; j += 4, z += 16) {
      int32x4_t score[4];
      UNROLL for (size_t i = 0; i < 4; ++i) {
        const int32x4_t start = vdupq_n_s32(static_cast<int32_t>(offset[first + i]));
        const int32x4_t distance = vld1q_s32(s + (first + i) * keys + j);
        score[i] = vshlq_s32(vmlaq_n_s32(start, distance, multiplier), right);
      }
      vst1q_u8(z, vminq_u8(bytes_of(score), vdupq_n_u8(127)));
    }
  }
}

// UMIN and SDOT with the signs.
DOTPROD void inhibit_dotprod(const uint8_t* z, const uint8_t* magnitude, const int8_t* sign,
                             const int32_t* total, size_t groups, size_t blocks, size_t width,
                             int32_t* h) {
  for (size_t first = 0; first < queries; first += 4, z += blocks * 64) {
    for (size_t k = 0; k < width; k += 16) {
      int32x4_t acc[4][4] = {};
      for (size_t group = 0; group < groups; ++group) {
        const size_t at = (group * width + k) * 4;
        UNROLL for (size_t r = 0; r < 4; ++r) {
          const uint8x16_t value = vld1q_u8(magnitude + at + 16 * r);
          const int8x16_t signs = vld1q_s8(sign + at + 16 * r);
          UNROLL for (size_t i = 0; i < 4; ++i) {
            const uint8x16_t kept = vminq_u8(value, repeat4(z + group * 16 + 4 * i));
            acc[i][r] = vdotq_s32(acc[i][r], vreinterpretq_s8_u8(kept), signs);
          }
        }
      }
      UNROLL for (size_t i = 0; i < 4; ++i) {
        UNROLL for (size_t r = 0; r < 4; ++r) {
          vst1q_s32(h + (first + i) * width + k + 4 * r,
                    vsubq_s32(vld1q_s32(total + k + 4 * r), acc[i][r]));
        }
      }
    }
  }
}

// UMIN, MUL and SADALP: a 16-bit lane gets two products of each group, within +-254, so that 128
// groups add up in it.
void inhibit(const uint8_t* z, const uint8_t* magnitude, const int8_t* sign, const int32_t* total,
             size_t groups, size_t blocks, size_t width, int32_t* h) {
  for (size_t i = 0; i < queries; ++i) memcpy(h + i * width, total, width * sizeof *h);
  for (size_t start = 0; start < groups; start += 128) {
    const size_t end = start + 128 < groups ? start + 128 : groups;
    for (size_t first = 0; first < queries; first += 4) {
      const uint8_t* limits = z + first / 4 * blocks * 64;
      for (size_t k = 0; k < width; k += 16) {
        int16x8_t acc[4][4] = {};
        for (size_t group = start; group < end; ++group) {
          const size_t at = (group * width + k) * 4;
          UNROLL for (size_t r = 0; r < 4; ++r) {
            const uint8x16_t value = vld1q_u8(magnitude + at + 16 * r);
            const int8x16_t signs = vld1q_s8(sign + at + 16 * r);
            UNROLL for (size_t i = 0; i < 4; ++i) {
              const uint8x16_t kept = vminq_u8(value, repeat4(limits + group * 16 + 4 * i));
              acc[i][r] = vpadalq_s8(acc[i][r], vmulq_s8(vreinterpretq_s8_u8(kept), signs));
            }
          }
        }
        UNROLL for (size_t i = 0; i < 4; ++i) {
          UNROLL for (size_t r = 0; r < 4; ++r) {
            int32_t* four = h + (first + i) * width + k + 4 * r;
            vst1q_s32(four, vsubq_s32(vld1q_s32(four), vpaddlq_s16(acc[i][r])));
          }
        }
      }
    }
  }
}

}  // namespace

const InhibiInhibitorKernels inhibitor_neon = {pack_keys, pack_magnitudes_neon, distances,
                                               thresholds, inhibit};
const InhibiInhibitorKernels inhibitor_dotprod = {pack_keys, pack_magnitudes_neon,
                                                  distances_dotprod, thresholds, inhibit_dotprod};

}  // namespace inhibi

#endif
