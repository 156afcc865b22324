// Packing of values with NEON: 16 channels of 4 keys at a time, which ST4 lays side by side.
#include "pack.h"
#include "vectors_neon.h"

#if defined(__aarch64__)

namespace inhibi {
namespace {

// Four keys' bytes of up to 16 channels, zero points beyond n and d.
inline void load_rows(const uint8_t* values, size_t stride, size_t count, size_t channels,
                      uint8x16_t* row) {
  for (size_t r = 0; r < 4; ++r) {
    row[r] = vdupq_n_u8(128);
    if (r >= count) continue;
    const uint8_t* from = values + r * stride;
    row[r] = channels >= 16 ? vld1q_u8(from) : vcombine_u8(vld1_u8(from), vdup_n_u8(128));
  }
}

// total [16] += the sums of 4 bytes, less their zero points.
inline void add(const uint8x16_t* row, int32_t* total) {
  uint16x8_t sum[2] = {};
  for (size_t r = 0; r < 4; ++r) {
    sum[0] = vaddw_u8(sum[0], vget_low_u8(row[r]));
    sum[1] = vaddw_high_u8(sum[1], row[r]);
  }
  for (size_t half = 0; half < 2; ++half, total += 8) {
    const int16x8_t four = vreinterpretq_s16_u16(vsubq_u16(sum[half], vdupq_n_u16(4 * 128)));
    vst1q_s32(total, vaddw_s16(vld1q_s32(total), vget_low_s16(four)));
    vst1q_s32(total + 4, vaddw_high_s16(vld1q_s32(total + 4), four));
  }
}

}  // namespace

void pack_magnitudes_neon(const uint8_t* values, size_t stride, size_t n, size_t d,
                          int32_t is_signed, uint8_t* magnitude, int8_t* sign, int32_t* total) {
  const uint8x16_t least = vdupq_n_u8(is_signed ? 0 : 128);
  memset(total, 0, padded(d) * sizeof(int32_t));
  for (size_t j = 0; j < n; j += 4) {
    for (size_t k = 0; k < d; k += 16, magnitude += 64, sign += 64) {
      uint8x16x4_t row;
      int8x16x4_t signs;
      load_rows(values + j * stride + k, stride, n - j, d - k, row.val);
      for (size_t r = 0; r < 4; ++r) row.val[r] = vmaxq_u8(row.val[r], least);
      add(row.val, total + k);
      for (size_t r = 0; r < 4; ++r) {
        const uint8x16_t negative = vcltq_u8(row.val[r], vdupq_n_u8(128));
        signs.val[r] = vreinterpretq_s8_u8(vorrq_u8(negative, vdupq_n_u8(1)));
        row.val[r] = vabdq_u8(row.val[r], vdupq_n_u8(128));
      }
      vst4q_u8(magnitude, row);
      vst4q_s8(sign, signs);
    }
  }
}

void pack_bytes_neon(const uint8_t* values, size_t stride, size_t n, size_t d, uint8_t* packed) {
  for (size_t j = 0; j < n; j += 4) {
    for (size_t k = 0; k < d; k += 16, packed += 64) {
      uint8x16x4_t row;
      load_rows(values + j * stride + k, stride, n - j, d - k, row.val);
      vst4q_u8(packed, row);
    }
  }
}

}  // namespace inhibi

#endif
