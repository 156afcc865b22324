#include "pack.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace inhibi {
namespace {

size_t block_places(size_t n) { return (n + block_keys - 1) / block_keys * block_keys; }

int16_t word(uint8_t byte) { return static_cast<int16_t>(byte - 128); }

}  // namespace

void pack_rows(const uint8_t* keys, size_t stride, size_t n, size_t d, uint8_t* packed) {
  for (size_t j = 0; j < block_places(n); ++j) {
    const uint8_t* key = keys + (j < n ? j : 0) * stride;
    memcpy(packed + j / block_keys * packed_bytes(d) + j % block_keys * d, key, d);
  }
}

void pack_fours(const uint8_t* keys, size_t stride, size_t n, size_t d, uint8_t flip,
                uint8_t* packed) {
  const uint32_t flips = flip * 0x01010101u;
  for (size_t j = 0; j < block_places(n); ++j) {
    const uint8_t* key = keys + (j < n ? j : 0) * stride;
    uint8_t* out = packed + j / block_keys * packed_bytes(d) + j % block_keys * 4;
    for (size_t k = 0; k < d; k += 4) {
      uint32_t four;
      memcpy(&four, key + k, 4);
      four ^= flips;
      memcpy(out + k * block_keys, &four, 4);
    }
  }
}

void pack_eights(const uint8_t* keys, size_t stride, size_t n, size_t d, uint8_t* packed) {
  for (size_t j = 0; j < block_places(n); ++j) {
    const uint8_t* key = keys + (j < n ? j : 0) * stride;
    const size_t place = j % 2 * 8 + j % block_keys / 2;
    uint8_t* out = packed + j / block_keys * packed_bytes(d) + place * 8;
    for (size_t k = 0; k < d; k += 8) memcpy(out + k * block_keys, key + k, 8);
  }
}

void pack_words(const uint8_t* keys, size_t stride, size_t n, size_t d, uint8_t* packed) {
  for (size_t j = 0; j < block_places(n); ++j) {
    const uint8_t* key = keys + (j < n ? j : 0) * stride;
    uint8_t* out = packed + (j / block_keys * d * block_keys + j % block_keys * 2) * 2;
    for (size_t k = 0; k < d; k += 2) {
      const int16_t pair[2] = {word(key[k]), word(key[k + 1])};
      memcpy(out + k * block_keys * 2, pair, sizeof pair);
    }
  }
}

void pack_magnitudes(const uint8_t* values, size_t stride, size_t n, size_t d, int32_t is_signed,
                     uint8_t* magnitude, int8_t* sign, int32_t* total) {
  const size_t width = padded(d), places = (n + 3) / 4 * 4;
  memset(total, 0, width * sizeof(int32_t));
  memset(magnitude, 0, places * width);
  memset(sign, 0, places * width);
  for (size_t j = 0; j < n; ++j) {
    for (size_t k = 0; k < d; ++k) {
      const int v = std::max(values[j * stride + k] - 128, is_signed ? -128 : 0);
      const size_t at = (j / 4 * width + k) * 4 + j % 4;
      magnitude[at] = static_cast<uint8_t>(std::abs(v));
      sign[at] = v < 0 ? -1 : 1;
      total[k] += v;
    }
  }
}

void pack_values(const uint8_t* values, size_t stride, size_t n, size_t d, uint8_t* packed) {
  const size_t width = padded(d);
  memset(packed, 0, (n + 3) / 4 * 4 * width);
  for (size_t j = 0; j < n; ++j) {
    for (size_t k = 0; k < d; ++k) {
      packed[(j / 4 * width + k) * 4 + j % 4] = values[j * stride + k] ^ 128;
    }
  }
}

}  // namespace inhibi
