/* Loops for benchmarks/roofline.py, which compiles them: the clock, and what the processor can do
   at most. Assembly, so that the compiler leaves out nothing. */
#include <stdint.h>

/* 8 n additions that each wait for the one before: one a cycle. */
void benchmark_clock(uint64_t n) {
  uint64_t x = 0;
  for (; n; --n) {
#if defined(__x86_64__)
    __asm__ volatile(
        "addq $1, %0\n\taddq $1, %0\n\taddq $1, %0\n\taddq $1, %0\n\t"
        "addq $1, %0\n\taddq $1, %0\n\taddq $1, %0\n\taddq $1, %0"
        : "+r"(x));
#elif defined(__aarch64__)
    __asm__ volatile(
        "add %0, %0, #1\n\tadd %0, %0, #1\n\tadd %0, %0, #1\n\tadd %0, %0, #1\n\t"
        "add %0, %0, #1\n\tadd %0, %0, #1\n\tadd %0, %0, #1\n\tadd %0, %0, #1"
        : "+r"(x));
#endif
  }
}

/* The inhibitor's instructions for 8 n pairs of 64 bytes, on registers: an absolute difference and
   its sum for the score, a minimum and its sum for the value. Nothing is loaded, and no instruction
   waits for one that is not a pair's before. 0 where the processor lacks them. */
#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx512f,avx512bw,avx512vnni"))) int benchmark_peak_avx512vnni(uint64_t n) {
  if (!__builtin_cpu_supports("avx512vnni") || !__builtin_cpu_supports("avx512bw")) return 0;
  __m512i x = _mm512_set1_epi8(1), y = _mm512_set1_epi8(2), s[8] = {x, x, x, x, x, x, x, x},
          h[8] = {x, x, x, x, x, x, x, x};
  for (; n; --n) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      __m512i t, u;
      __asm__ volatile("vpsadbw %1, %2, %0" : "=v"(t) : "v"(x), "v"(y));
      __asm__ volatile("vpaddq %1, %0, %0" : "+v"(s[i]) : "v"(t));
      __asm__ volatile("vpminub %1, %2, %0" : "=v"(u) : "v"(x), "v"(y));
      __asm__ volatile("vpdpbusd %1, %2, %0" : "+v"(h[i]) : "v"(y), "v"(u));
    }
  }
  return 1;
}

/* Without VNNI the sum takes two instructions, and 64 bytes are two registers. */
__attribute__((target("avx2"))) int benchmark_peak_avx2(uint64_t n) {
  if (!__builtin_cpu_supports("avx2")) return 0;
  __m256i x = _mm256_set1_epi8(1), y = _mm256_set1_epi8(2), s[4] = {x, x, x, x},
          h[4] = {x, x, x, x};
  for (; n; --n) {
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) {
      __m256i t, u;
      __asm__ volatile("vpsadbw %1, %2, %0" : "=x"(t) : "x"(x), "x"(y));
      __asm__ volatile("vpaddq %1, %0, %0" : "+x"(s[i % 4]) : "x"(t));
      __asm__ volatile("vpminub %1, %2, %0" : "=x"(u) : "x"(x), "x"(y));
      __asm__ volatile("vpmaddubsw %1, %0, %0" : "+x"(u) : "x"(y));
      __asm__ volatile("vpaddw %1, %0, %0" : "+x"(h[i % 4]) : "x"(u));
    }
  }
  return 1;
}
#endif
