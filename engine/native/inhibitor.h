// What the instruction sets' inhibitor kernels share.
#pragma once

#include "attention.h"

namespace inhibi {

// Thresholds in 64 bits, for head widths above 64, whose scores 32 bits do not hold.
void wide_thresholds(const int32_t* s, size_t blocks, int32_t multiplier, const int64_t* offset,
                     int32_t shift, uint8_t* z);

extern const InhibiInhibitorKernels inhibitor_scalar;
#if defined(__x86_64__)
extern const InhibiInhibitorKernels inhibitor_avx2, inhibitor_avx512bw, inhibitor_avx512vnni;
#elif defined(__aarch64__)
extern const InhibiInhibitorKernels inhibitor_neon, inhibitor_dotprod;
#endif

}  // namespace inhibi
