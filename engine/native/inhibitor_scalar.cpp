// The inhibitor's kernels as docs/SPEC.md writes them.
#include <algorithm>
#include <cstdlib>

#include "inhibitor.h"
#include "pack.h"

namespace inhibi {
namespace {

void distances(const uint8_t* query, const uint8_t* packed, size_t d, size_t blocks, int32_t* s,
               int64_t* sums) {
  const size_t keys = blocks * block_keys;
  for (size_t i = 0; i < queries; ++i) {
    sums[i] = 0;
    for (size_t j = 0; j < keys; ++j) {
      const uint8_t* key = packed + j / block_keys * packed_bytes(d) + j % block_keys * d;
      int32_t distance = 0;
      for (size_t k = 0; k < d; ++k) distance += std::abs(query[i * d + k] - key[k]);
      s[i * keys + j] = distance;
      sums[i] += distance;
    }
  }
}

void inhibit(const uint8_t* z, const uint8_t* magnitude, const int8_t* sign, const int32_t* total,
             size_t groups, size_t blocks, size_t width, int32_t* h) {
  for (size_t i = 0; i < queries; ++i) {
    for (size_t k = 0; k < width; ++k) h[i * width + k] = total[k];
    for (size_t j = 0; j < groups * 4; ++j) {
      const int32_t limit = z[place(i, j, blocks)];
      for (size_t k = 0; k < width; ++k) {
        const size_t at = (j / 4 * width + k) * 4 + j % 4;
        h[i * width + k] -= sign[at] * std::min<int32_t>(magnitude[at], limit);
      }
    }
  }
}

}  // namespace

void wide_thresholds(const int32_t* s, size_t blocks, int32_t multiplier, const int64_t* offset,
                     int32_t shift, uint8_t* z) {
  const size_t keys = blocks * block_keys;
  for (size_t i = 0; i < queries; ++i) {
    for (size_t j = 0; j < keys; ++j) {
      const int64_t score = (int64_t{s[i * keys + j]} * multiplier + offset[i]) >> shift;
      z[place(i, j, blocks)] = static_cast<uint8_t>(std::clamp<int64_t>(score, 0, 127));
    }
  }
}

const InhibiInhibitorKernels inhibitor_scalar = {pack_rows, pack_magnitudes, distances,
                                                 wide_thresholds, inhibit};

}  // namespace inhibi
