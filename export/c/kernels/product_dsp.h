/* Two rows by two outputs: 16 products with 8 SMLAD, and 9 instructions for their operands and the
 * loop. Inputs are extended to halves once, for all outputs. */
#ifndef PRODUCT_DSP_H
#define PRODUCT_DSP_H

#include "dsp.h"
#include "kernels.h"

/* The values of a row, 4 at a time: the even ones, then the odd ones. The next 4 follow `step`
 * words later, so that two rows can alternate. */
static void extend(const uint8_t* x, size_t inputs, int32_t* values, size_t step) {
  for (size_t k = 0; k < inputs; k += 4, values += step) {
    const uint32_t bytes = word(x + k) ^ 0x80808080u;
    values[0] = even_bytes(bytes);
    values[1] = odd_bytes(bytes);
  }
}

/* acc[row][output] of the two rows at x and the two outputs whose weights are given. */
APART static void two_by_two(const int32_t* x, const int8_t* weight, const int8_t* other,
                             size_t inputs, const int32_t* bias, int32_t* acc, size_t outputs) {
  const int8_t* const end = other + inputs;
  int32_t a = bias[0], b = bias[1], c = bias[0], d = bias[1];
  do
    __asm__ volatile(
        "ldm %[x]!, {r8, r9, r10, r11}\n" /* both rows' even and odd values */
        "ldr r4, [%[w]], #4\n"
        "sxtb16 r5, r4\n"
        "sxtb16 r4, r4, ror #8\n"
        "smlad %[a], r8, r5, %[a]\n"
        "smlad %[c], r10, r5, %[c]\n"
        "smlad %[a], r9, r4, %[a]\n"
        "smlad %[c], r11, r4, %[c]\n"
        "ldr r4, [%[v]], #4\n"
        "sxtb16 r5, r4\n"
        "sxtb16 r4, r4, ror #8\n"
        "smlad %[b], r8, r5, %[b]\n"
        "smlad %[d], r10, r5, %[d]\n"
        "smlad %[b], r9, r4, %[b]\n"
        "smlad %[d], r11, r4, %[d]\n"
        : [x] "+r"(x), [w] "+r"(weight), [v] "+r"(other), [a] "+r"(a), [b] "+r"(b), [c] "+r"(c),
          [d] "+r"(d)
        :
        : "r4", "r5", "r8", "r9", "r10", "r11", "memory");
  while (other != end);
  acc[0] = a, acc[1] = b, acc[outputs] = c, acc[outputs + 1] = d;
}

static int32_t one_by_one(const int32_t* x, size_t step, const int8_t* weight, size_t inputs,
                          int32_t acc) {
  for (const int8_t* const end = weight + inputs; weight != end; weight += 4, x += step) {
    const uint32_t bytes = word(weight);
    acc = __smlad(x[0], even_bytes(bytes), acc);
    acc = __smlad(x[1], odd_bytes(bytes), acc);
  }
  return acc;
}

/* inputs is a multiple of 4. */
static void multiply_words(const uint8_t* x, size_t rows, const Product* p, int32_t* acc,
                           int32_t* values) {
  const size_t inputs = p->inputs, outputs = p->outputs, step = 2 * rows;
  for (size_t row = 0; row < rows; ++row) extend(x + row * inputs, inputs, values + 2 * row, step);
  size_t m = 0;
  if (rows == 2) {
    for (; m + 2 <= outputs; m += 2) {
      const int8_t* weight = p->weight + m * inputs;
      two_by_two(values, weight, weight + inputs, inputs, p->bias + m, acc + m, outputs);
    }
  }
  for (; m < outputs; ++m) {
    for (size_t row = 0; row < rows; ++row) {
      acc[row * outputs + m] =
          one_by_one(values + 2 * row, step, p->weight + m * inputs, inputs, p->bias[m]);
    }
  }
}

#endif
