/* Four bytes in a register: what arm_acle.h leaves to be said. */
#ifndef DSP_H
#define DSP_H

#include <arm_acle.h>
#include <stdint.h>
#include <string.h>

/* For assembly that takes 13 registers: what is around it must not need any. */
#define APART __attribute__((noinline))

/* A load, of any address. */
static inline uint32_t word(const void* from) {
  uint32_t value;
  memcpy(&value, from, 4);
  return value;
}

/* Bytes 1 and 3 to signed halves: one instruction, which no intrinsic names. */
static inline int32_t odd_bytes(uint32_t bytes) {
  int32_t halves;
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(halves) : "r"(bytes));
  return halves;
}

static inline int32_t even_bytes(uint32_t bytes) { return __sxtb16((int8x4_t)bytes); }

#endif
