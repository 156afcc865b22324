// Packing of keys and values: n rows of d bytes, `stride` apart, into the layouts of attention.h.
#pragma once

#include "attention.h"

namespace inhibi {

// A block's keys one after the other.
void pack_rows(const uint8_t* keys, size_t stride, size_t n, size_t d, uint8_t* packed);

// A block's 4-byte chunks, each of all 16 keys, xor `flip` in every byte.
void pack_fours(const uint8_t* keys, size_t stride, size_t n, size_t d, uint8_t flip,
                uint8_t* packed);

// A block's 8-byte chunks, each of the 8 even keys, then the 8 odd ones.
void pack_eights(const uint8_t* keys, size_t stride, size_t n, size_t d, uint8_t* packed);

// A block's pairs of channels, each of all 16 keys, as int16 byte - 128.
void pack_words(const uint8_t* keys, size_t stride, size_t n, size_t d, uint8_t* packed);

// The inhibitor's values v = byte - 128 (unsigned: max(v, 0)) as magnitude, sign and their sums
// total [width] over the keys.
void pack_magnitudes(const uint8_t* values, size_t stride, size_t n, size_t d, int32_t is_signed,
                     uint8_t* magnitude, int8_t* sign, int32_t* total);

// v = byte - 128 of every value, as int8.
void pack_values(const uint8_t* values, size_t stride, size_t n, size_t d, uint8_t* packed);

#if defined(__x86_64__)
// The same with AVX2.
void pack_magnitudes_avx2(const uint8_t* values, size_t stride, size_t n, size_t d,
                          int32_t is_signed, uint8_t* magnitude, int8_t* sign, int32_t* total);
void pack_values_avx2(const uint8_t* values, size_t stride, size_t n, size_t d, uint8_t* packed);

// v of every value as int16.
void pack_value_words_avx2(const uint8_t* values, size_t stride, size_t n, size_t d,
                           uint8_t* packed);
#elif defined(__aarch64__)
// The same with NEON.
void pack_magnitudes_neon(const uint8_t* values, size_t stride, size_t n, size_t d,
                          int32_t is_signed, uint8_t* magnitude, int8_t* sign, int32_t* total);

// The bytes as they are, zero points in the places beyond n.
void pack_bytes_neon(const uint8_t* values, size_t stride, size_t n, size_t d, uint8_t* packed);
#endif

// d rounded up to a multiple of 16.
constexpr size_t padded(size_t d) { return (d + 15) / 16 * 16; }

}  // namespace inhibi
