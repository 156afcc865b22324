// What the instruction sets' dot-product kernels share.
#pragma once

#include <algorithm>

#include "attention.h"

namespace inhibi {

// For an offset of at least 0: gaps from here on have index 255, and their product with the
// multiplier shifts to 32 bits.
inline int32_t largest_gap(int32_t multiplier, int32_t shift) {
  if (multiplier == 0) return INT32_MAX;
  return static_cast<int32_t>(
      std::min<int64_t>((int64_t{256} << shift) / multiplier + 1, INT32_MAX));
}

// The division by a row's sum as a product: P = floor(e*factor + start). x = 255*e + sum div 2 is
// below 2^29 and x/sum misses an integer by 1/sum >= 2^-28 or not at all, so 1/4 added to x keeps
// the doubles' errors, below 2^-43, from crossing one.
struct Reciprocal {
  double factor, start;

  explicit Reciprocal(int64_t sum)
      : factor(255.0 / static_cast<double>(sum)),
        start((static_cast<double>(sum / 2) + 0.25) / static_cast<double>(sum)) {}
};

extern const InhibiDotProductKernels dot_product_scalar;
#if defined(__x86_64__)
extern const InhibiDotProductKernels dot_product_avx2, dot_product_avx512bw, dot_product_avx512vnni;
#elif defined(__aarch64__)
extern const InhibiDotProductKernels dot_product_neon, dot_product_dotprod;
#endif

}  // namespace inhibi
