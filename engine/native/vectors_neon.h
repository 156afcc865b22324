// Small helpers of the NEON kernels.
#pragma once

#if defined(__aarch64__)

#include <arm_neon.h>

#include <cstdint>
#include <cstring>

#include "unroll.h"

#if defined(__clang__)
#define DOTPROD __attribute__((target("dotprod")))
#else
#define DOTPROD __attribute__((target("arch=armv8.2-a+dotprod")))
#endif

namespace inhibi {

// Four bytes in each of four places.
inline uint8x16_t repeat4(const uint8_t* from) {
  uint32_t four;
  memcpy(&four, from, sizeof four);
  return vreinterpretq_u8_u32(vdupq_n_u32(four));
}

// Four keys' scores of four queries, within -2^31..2^31-1, as bytes: [query][key], saturated.
inline uint8x16_t bytes_of(const int32x4_t* score) {
  const int16x8_t low = vcombine_s16(vqmovn_s32(score[0]), vqmovn_s32(score[1]));
  const int16x8_t high = vcombine_s16(vqmovn_s32(score[2]), vqmovn_s32(score[3]));
  return vcombine_u8(vqmovun_s16(low), vqmovun_s16(high));
}

}  // namespace inhibi

#endif
