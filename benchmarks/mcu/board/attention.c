/* Instructions of both attentions, signed and centred, and of the matrix kernel, on random bytes:
 * "NAME WIDTH COUNT" a line. TICK as in sentences.c. */
#include <stdio.h>
#include <string.h>

#include "kernels.h"

#define CONTROL (*(volatile uint32_t*)0xe000e010u)
#define RELOAD (*(volatile uint32_t*)0xe000e014u)
#define VALUE (*(volatile uint32_t*)0xe000e018u)

enum { TOKENS = 64, CHANNELS = 128, OUTPUTS = 512, HEADS = 4 };

static uint8_t qkv[TOKENS * 3 * CHANNELS], out[TOKENS * OUTPUTS];
static int64_t scratch[16384];

static uint32_t elapsed(uint32_t since) { return ((since - VALUE) & 0xffffffu) * TICK; }

static void attentions(size_t heads) {
  static int32_t score_multiplier[HEADS], score_offset[HEADS], multiplier[CHANNELS];
  static int32_t length[TOKENS + 1];
  static uint16_t table[256];
  static uint8_t score_shift[HEADS], shift[CHANNELS];
  for (int i = 0; i < CHANNELS; ++i) multiplier[i] = 1 << 23, shift[i] = 30;
  for (int i = 0; i <= TOKENS; ++i) length[i] = 1 << 15;
  for (int i = 0; i < 256; ++i) table[i] = (uint16_t)(65535 / (i + 1));
  for (int i = 0; i < HEADS; ++i) score_multiplier[i] = 40000, score_shift[i] = 18;
  const Attention attention = {CHANNELS,   heads, score_multiplier, score_offset, score_shift,
                               multiplier, shift};
  const InhibitorAttention inhibitor = {attention, length, 1, 1};
  const DotProductAttention dot_product = {attention, table};
  const int width = CHANNELS / (int)heads;
  uint32_t start = VALUE;
  inhibitor_attention(qkv, TOKENS, &inhibitor, out, scratch);
  printf("inhibitor %d %lu\n", width, (unsigned long)elapsed(start));
  for (int i = 0; i < HEADS; ++i) score_offset[i] = 1 << 25, score_shift[i] = 26;
  start = VALUE;
  dot_product_attention(qkv, TOKENS, &dot_product, out, scratch);
  printf("dot_product %d %lu\n", width, (unsigned long)elapsed(start));
}

static void matrices(void) {
  static int8_t weight[CHANNELS * OUTPUTS];
  static int32_t bias[OUTPUTS];
  const Product p = {CHANNELS, OUTPUTS, weight, bias};
  const uint32_t start = VALUE;
  for (size_t row = 0; row < TOKENS; row += 2) {
    product(qkv + row * CHANNELS, 2, &p, (int32_t*)scratch, (int32_t*)scratch + 2 * OUTPUTS);
  }
  printf("product %d %lu\n", TOKENS * CHANNELS * OUTPUTS, (unsigned long)elapsed(start));
}

int main(void) {
  uint32_t random = 1;
  RELOAD = 0xffffff, VALUE = 0, CONTROL = 5;
  for (size_t i = 0; i < sizeof qkv; ++i) {
    random = random * 1664525u + 1013904223u;
    qkv[i] = (uint8_t)(random >> 24 | 1);
  }
  attentions(4);
  attentions(2);
  matrices();
  return 0;
}
