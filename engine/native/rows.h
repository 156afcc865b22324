// The operators that work on rows of columns: docs/SPEC.md's requantizations and layer norms.
//
// Every set of functions gives the same bits. Rows are independent: a caller splits them among
// threads by moving the pointers.
#pragma once

#include "kernels.h"

namespace inhibi {

// In integers, as SPEC writes them; for any machine.
void requantize_scalar(const InhibiRequantize*);
void add_layer_norm_scalar(const InhibiAddLayerNorm*);
void embed_layer_norm_scalar(const InhibiEmbedLayerNorm*);

// SPEC's norm of one row x int32 [channels]; |x| < 2^16 and channels <= 1024 keep the sum of u^2
// below 2^62.
void norm_scalar(const int32_t* x, const InhibiNorm& norm, size_t channels, uint8_t* out);

#if defined(__x86_64__)
void requantize_avx2(const InhibiRequantize*);  // AVX2 and FMA
void add_layer_norm_avx2(const InhibiAddLayerNorm*);
void embed_layer_norm_avx2(const InhibiEmbedLayerNorm*);

void requantize_avx512(const InhibiRequantize*);  // AVX-512 F, BW, VL and DQ
void add_layer_norm_avx512(const InhibiAddLayerNorm*);
void embed_layer_norm_avx512(const InhibiEmbedLayerNorm*);
#elif defined(__aarch64__)
void requantize_neon(const InhibiRequantize*);
void add_layer_norm_neon(const InhibiAddLayerNorm*);
void embed_layer_norm_neon(const InhibiEmbedLayerNorm*);
#endif

}  // namespace inhibi
