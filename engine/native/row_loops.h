// Row kernels for AVX2 and NEON: plain loops that a compiler vectorizes, inlined into one function
// for each set (rows_*.cpp). They need -O3 and -fno-trapping-math to be fast, never to be right.
//
// Everything is computed in doubles, and every step is exact: values are integers, or integers
// times 2^-s, below 2^53 units. So no rounding, no order and no fused multiply-add can matter.
#pragma once

#include <cmath>
#include <cstring>

#include "rows.h"

#define INHIBI_INLINE [[gnu::always_inline]] inline

namespace inhibi {

constexpr size_t kBlock = 256;  // columns whose parameters lie on the stack

// 2^-shift by its bits.
INHIBI_INLINE double power(int32_t shift) {
  const int64_t bits = (int64_t{1023} - shift) << 52;
  double power;
  std::memcpy(&power, &bits, sizeof power);
  return power;
}

// scale [n] = multiplier * 2^-shift, exact: |multiplier| < 2^31.
INHIBI_INLINE void scales(const int32_t* multiplier, const int32_t* shift, size_t n,
                          double* scale) {
  for (size_t k = 0; k < n; ++k) scale[k] = multiplier[k] * power(shift[k]);
}

// floor(x) clamped: lo and hi are integers, so the order does not matter, and then it fits 32 bits.
INHIBI_INLINE int32_t clamped_floor(double x, double lo, double hi) {
  x = x > lo ? x : lo;
  x = x < hi ? x : hi;
  return static_cast<int32_t>(std::floor(x));
}

// y [n] = req(acc + bias): |(acc + bias) * multiplier| + 2^(shift-1) < 2^53, so that product and
// sum are exact multiples of 2^-shift.
INHIBI_INLINE void req(const int32_t* acc, const int32_t* bias, const double* scale, double lo,
                       double hi, size_t n, int32_t* y) {
  for (size_t k = 0; k < n; ++k) y[k] = clamped_floor((acc[k] + bias[k]) * scale[k] + 0.5, lo, hi);
}

// out [n] = 128 + y, which fits a byte.
INHIBI_INLINE void bytes(const int32_t* y, size_t n, uint8_t* out) {
  for (size_t k = 0; k < n; ++k) out[k] = static_cast<uint8_t>(128 + y[k]);
}

// Requantize; a table is not looked at.
INHIBI_INLINE void requantize_rows(const InhibiRequantize& p) {
  double scale[kBlock];
  int32_t y[kBlock];
  for (size_t first = 0; first < p.columns; first += kBlock) {
    const size_t n = p.columns - first < kBlock ? p.columns - first : kBlock;
    scales(p.multiplier + first, p.shift + first, n, scale);
    for (size_t i = 0; i < p.rows; ++i) {
      req(p.acc + i * p.acc_stride + first, p.bias + first, scale, p.lo, p.hi, n, y);
      bytes(y, n, p.out + i * p.stride + first);
    }
  }
}

// Floor of the square root of 1 <= v < 2^52. For an integer k <= 2^26, sqrt(k^2 - 1) < k - 1/(2k)
// <= k - 2^-27, which is a double: a root below k is never rounded up to k.
INHIBI_INLINE int64_t isqrt(int64_t v) {
  return static_cast<int64_t>(std::sqrt(static_cast<double>(v)));
}

// A norm's parameters in doubles: weight and bias over 2^shift, and the half of the rounding.
// |b| + 2^(t-1) < 2^52, so that both are exact.
struct NormScales {
  double weight[INHIBI_MAX_CHANNELS], bias[INHIBI_MAX_CHANNELS];
};

INHIBI_INLINE void norm_scales(const InhibiNorm& p, size_t channels, NormScales& scales) {
  for (size_t k = 0; k < channels; ++k) {
    const double unit = power(p.shift[k]);
    scales.weight[k] = p.weight[k] * unit;
    scales.bias[k] = static_cast<double>(p.bias[k]) * unit + 0.5;
  }
}

// SPEC's norm of one row x [C], C <= 1024, |x| < 2^16.
//
// With S = sum x and Q = sum x^2, sum u^2 = sum (C*x - S)^2 = C^2*Q - 2*C*S^2 + C*S^2
// = C*(C*Q - S^2): it divides by C without a rest, and C*Q < 2^52.
// Bounds of the doubles: |u| <= sqrt(sum u^2) = sqrt(C*(v-1)) and sqrt(v-1) < D + 1 <= 2*D, so
// |u*R| + 2^23 <= 32 * 2*D * (2^44/D + 1/2) + 2^23 < 2^51. Then |n| < 2^27 and
// |n*w| + |b| + 2^(t-1) < 2^51 + 2^51 + 2^45 < 2^53.
INHIBI_INLINE void norm(const int32_t* x, const InhibiNorm& p, const NormScales& scales,
                        size_t channels, int32_t* y, uint8_t* out) {
  int32_t sum = 0;
  int64_t squares = 0;
  for (size_t k = 0; k < channels; ++k) {
    sum += x[k];
    squares += static_cast<int64_t>(x[k]) * x[k];
  }
  const int64_t width = static_cast<int64_t>(channels);
  const int64_t root = isqrt(width * squares - int64_t{sum} * sum + 1);
  const int64_t reciprocal = ((int64_t{1} << 44) + root / 2) / root;
  const double scale = static_cast<double>(reciprocal) * power(24);
  const double times = static_cast<double>(width), total = sum, lo = p.lo, hi = p.hi;
  for (size_t k = 0; k < channels; ++k) {
    const double n = std::floor((times * x[k] - total) * scale + 0.5);
    y[k] = clamped_floor(n * scales.weight[k] + scales.bias[k], lo, hi);
  }
  bytes(y, channels, out);
}

INHIBI_INLINE void add_layer_norm_rows(const InhibiAddLayerNorm& p) {
  double scale[INHIBI_MAX_CHANNELS];
  int32_t x[INHIBI_MAX_CHANNELS], y[INHIBI_MAX_CHANNELS];
  NormScales norms;
  scales(p.multiplier, p.shift, p.channels, scale);
  norm_scales(p.norm, p.channels, norms);
  for (size_t i = 0; i < p.rows; ++i) {
    const uint8_t* residual = p.residual + i * p.channels;
    req(p.acc + i * p.channels, p.bias, scale, -32767, 32767, p.channels, x);
    for (size_t k = 0; k < p.channels; ++k) x[k] += (residual[k] - 128) * p.residual_multiplier[k];
    norm(x, p.norm, norms, p.channels, y, p.out + i * p.channels);
  }
}

INHIBI_INLINE void embed_layer_norm_rows(const InhibiEmbedLayerNorm& p) {
  int32_t x[INHIBI_MAX_CHANNELS], y[INHIBI_MAX_CHANNELS];
  NormScales norms;
  norm_scales(p.norm, p.channels, norms);
  const size_t channels = p.channels;
  const int64_t width = static_cast<int64_t>(channels);
  const int32_t* t = p.table_multiplier;
  for (size_t i = 0; i < p.rows; ++i) {
    const int8_t* word = p.word + p.input_ids[i] * width;
    const int8_t* position = p.position + p.position_ids[i] * width;
    const int8_t* token_type = p.token_type + p.token_type_ids[i] * width;
    for (size_t k = 0; k < channels; ++k)
      x[k] = t[k] * word[k] + t[channels + k] * position[k] + t[2 * channels + k] * token_type[k];
    norm(x, p.norm, norms, channels, y, p.out + i * channels);
  }
}

}  // namespace inhibi
