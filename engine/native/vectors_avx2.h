// Small helpers of the AVX2 kernels.
#pragma once

#include <immintrin.h>

#include "vectors_x86.h"

#define AVX2 __attribute__((target("avx2,fma")))

namespace inhibi {

AVX2 inline __m256i load(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}

AVX2 inline void store(void* to, __m256i value) {
  _mm256_storeu_si256(static_cast<__m256i*>(to), value);
}

}  // namespace inhibi
