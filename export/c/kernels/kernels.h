/* The operators of a student, for one sentence: inhibi's docs/SPEC.md in C99.
 *
 * Letters: n tokens, C channels, H heads, d = C / H channels of a head. Activations are uint8 with
 * zero point 128. Results lie in 1..255, values in [-127, 127]. No operator allocates, reads beyond
 * its arguments or has a state; `scratch` is memory of their own while they run, aligned as
 * int64_t, SCRATCH bytes each. */
#ifndef KERNELS_H
#define KERNELS_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "model_id.h"

#if INT_MAX < 0x7fffffff || (-1 >> 1) != -1
#error "the kernels need an int of 32 bits, and shifts that keep the sign"
#endif

#define ZERO_POINT 128

#if defined(__GNUC__)
#define ALIGNED __attribute__((aligned(4))) /* for loads of two words */
#else
#define ALIGNED
#endif

/* Per channel: the file's multiplier * 2^7, |.| < 2^31, and its shift + 7, 8..53. The quotient is
 * the same and most shifts reach past the lower half of a 64-bit product. */
typedef struct {
  const int32_t* multiplier;
  const uint8_t* shift;
} Scale;

/* acc = bias + (x - 128) . weight; |acc| < 2^28, proven at export. */
typedef struct {
  size_t inputs, outputs;
  const int8_t* weight; /* [outputs][inputs], aligned to 4 bytes */
  const int32_t* bias;
} Product;

typedef struct {
  Product product;
  Scale scale;
} Linear;

/* A requantized product, then a table: channels share them in runs, [runs], of which run_end is the
 * channel behind the last and run_table the row of `table`. */
typedef struct {
  Linear linear;
  const uint8_t (*table)[256];
  size_t runs;
  const uint16_t* run_end;
  const uint8_t* run_table;
} LookupLinear;

/* Layer norm: weight * 2^7, norm_bias * 2^7 with half a unit of the shift, norm_shift + 7. */
typedef struct {
  const int32_t* weight;
  const int64_t* bias;
  const uint8_t* shift;
} Norm;

/* A requantized product in units of the residual / residual_multiplier, added to it, normalized. */
typedef struct {
  Linear linear;
  const uint8_t* residual_multiplier;
  Norm norm;
} NormLinear;

typedef struct {
  size_t channels;
  const int8_t *word, *position, *token_type; /* [rows][C] */
  const uint16_t* table_multiplier;           /* [3][C] */
  Norm norm;
} Embeddings;

/* Per head: score multiplier, offset and shift; per channel: the file's own multiplier and shift.
 */
typedef struct {
  size_t channels, heads;
  const int32_t *score_multiplier, *score_offset;
  const uint8_t* score_shift;
  const int32_t* multiplier;
  const uint8_t* shift;
} Attention;

typedef struct {
  Attention attention;
  const int32_t* length; /* [max_tokens + 1] */
  int centred, is_signed;
} InhibitorAttention;

typedef struct {
  Attention attention;
  const uint16_t* table; /* [256] */
} DotProductAttention;

#define ROUND_UP(x, multiple) (((x) + (multiple) - 1) / (multiple) * (multiple))
#define EMBED_SCRATCH(channels) (4 * (channels))
#define PRODUCT_SCRATCH(inputs, outputs) (8 * (outputs) + 4 * ROUND_UP(inputs, 4))
#define INHIBITOR_SCRATCH(n, d) \
  (3 * ROUND_UP(n, 16) * ROUND_UP(d, 16) + 5 * ROUND_UP(n, 16) + 14 * ROUND_UP(d, 16))
#define DOT_PRODUCT_SCRATCH(n, d) \
  (4 * ROUND_UP(n, 16) * ROUND_UP(d, 16) + 6 * ROUND_UP(n, 16) + 14 * ROUND_UP(d, 16))

/* ids and token types of n tokens at positions 0..n-1, to [n][C]. */
void embed_layer_norm(const model_id* ids, const uint8_t* types, size_t n, const Embeddings* p,
                      uint8_t* out, void* scratch);

/* x [rows][inputs] to out [rows][outputs]. */
void requantize(const uint8_t* x, size_t rows, const Linear* p, uint8_t* out, void* scratch);

void requantize_lookup(const uint8_t* x, size_t rows, const LookupLinear* p, uint8_t* out,
                       void* scratch);

/* x [rows][inputs] and residual [rows][C] to out [rows][C]. */
void add_layer_norm(const uint8_t* x, const uint8_t* residual, size_t rows, const NormLinear* p,
                    uint8_t* out, void* scratch);

/* qkv [n][3C] to out [n][C]. */
void inhibitor_attention(const uint8_t* qkv, size_t n, const InhibitorAttention* p, uint8_t* out,
                         void* scratch);

void dot_product_attention(const uint8_t* qkv, size_t n, const DotProductAttention* p, uint8_t* out,
                           void* scratch);

/* x [n][C] to the mean of its rows [C]. */
void mean_pool(const uint8_t* x, size_t n, size_t channels, const Scale* scale, uint8_t* out);

/* Accumulators [rows][outputs] of x [rows][inputs], 1 or 2 rows. */
void product(const uint8_t* x, size_t rows, const Product* p, int32_t* acc, void* scratch);

#endif
