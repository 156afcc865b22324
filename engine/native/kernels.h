// The kernels' C interface. docs/SPEC.md defines what each computes; all results are exact.
//
// Pointers to input are const, output belongs to the caller, and nothing here keeps state: any
// function may run on several threads at once. N tokens, B sentences, n tokens of one sentence,
// C hidden, H heads, d = C / H. Arguments are checked by the caller (operators.cpp).
#pragma once

#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(default)  // all else in the library is hidden
#ifdef __cplusplus
extern "C" {
#endif

enum {
  INHIBI_MAX_HEAD_WIDTH = 128,
  INHIBI_MAX_CHANNELS = 1024,   // of a layer norm
  INHIBI_MAX_TOKENS = 1 << 19,  // of a sentence: sums of scores fit 4 lanes of 32 bits
  INHIBI_QUERIES = 8,           // of one block of attention
  INHIBI_KEYS = 16,             // of one block of packed keys and values
};

// acc int32 [rows, columns] to out uint8 [rows, columns], whose rows lie `acc_stride` numbers and
// `stride` bytes apart. With a table uint8 [256], columns of RequantizeLookup that share it; with
// NULL, Requantize. |multiplier| < 2^31 and
// |(acc + bias) * multiplier| + 2^(shift-1) < 2^53, which attention's multipliers need.
typedef struct {
  const int32_t *acc, *bias, *multiplier, *shift;
  const uint8_t* table;
  size_t rows, columns, acc_stride, stride;
  int32_t lo, hi;
  uint8_t* out;
} InhibiRequantize;

// Layer norm of x = req(acc + bias) + (residual - 128)*residual_multiplier, 1..64 for each channel:
// AddLayerNorm, uint8 [rows, channels].
typedef struct {
  const int32_t *weight, *shift;
  const int64_t* bias;
  int32_t lo, hi;
} InhibiNorm;

typedef struct {
  const int32_t *acc, *bias, *multiplier, *shift;
  const uint8_t* residual;
  const int32_t* residual_multiplier;
  InhibiNorm norm;
  size_t rows, channels;
  uint8_t* out;
} InhibiAddLayerNorm;

// Ids int64 [rows], which lie in their tables, int8 [., channels]; table_multiplier [3, channels].
typedef struct {
  const int64_t *input_ids, *position_ids, *token_type_ids;
  const int8_t *word, *position, *token_type;
  const int32_t* table_multiplier;
  InhibiNorm norm;
  size_t rows, channels;
  uint8_t* out;
} InhibiEmbedLayerNorm;

// Both attentions: qkv uint8 [N, 3C], offsets int64 [B+1], out uint8 [N, C].
typedef struct {
  const uint8_t* qkv;
  const int64_t* offsets;
  size_t sentences, longest, hidden, heads;  // longest: tokens, at most INHIBI_MAX_TOKENS
  const int32_t *score_multiplier, *score_offset, *score_shift;  // [H]
  const int32_t *multiplier, *shift;                             // [C]
  int32_t lo, hi;
  uint8_t* out;
  const int32_t* length;  // [max_tokens + 1], of the inhibitor
  int32_t centred, is_signed;
  const uint16_t* table;  // [256], of dot-product attention
} InhibiAttention;

// One instruction set's kernels. The blocks of attention are explained in attention.h.
typedef struct InhibiKernels {
  const char* name;  // what INHIBI_ISA takes
  void (*requantize)(const InhibiRequantize*);
  void (*add_layer_norm)(const InhibiAddLayerNorm*);
  void (*embed_layer_norm)(const InhibiEmbedLayerNorm*);
  const struct InhibiInhibitorKernels* inhibitor;
  const struct InhibiDotProductKernels* dot_product;
} InhibiKernels;

// The kernels of an instruction set ("scalar", "avx2", "avx512bw", "avx512vnni", "neon",
// "dotprod"), or NULL where this build or this processor has no such set. NULL asks for the best.
const InhibiKernels* inhibi_kernels(const char* isa);

// Names that inhibi_kernels takes here, best first, with a space between.
const char* inhibi_isas(void);

// 1 where x86-64 lacks VNNI: u8 x s8 products there add up in pairs in 16 bits with saturation, and
// onnxruntime's MatMulInteger with them.
int inhibi_products_saturate(void);

// Attention is split into tasks, which threads may run in any order: one sentence's head, for up to
// 1024 of its queries.
size_t inhibi_attention_tasks(const InhibiAttention* attention);
// 0, or 1 where there is no memory for the task's scratch.
int inhibi_inhibitor_attention(const InhibiKernels*, const InhibiAttention*, size_t task);
int inhibi_dot_product_attention(const InhibiKernels*, const InhibiAttention*, size_t task);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
