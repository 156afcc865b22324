/* Which instructions the kernels use, from the ACLE macros that the compiler sets for the target.
 * Define PORTABLE_KERNELS to use none: plain C99, the definition. The results are the same bits. */
#ifndef ISA_H
#define ISA_H

#if defined(PORTABLE_KERNELS) || defined(__ARM_BIG_ENDIAN)
#define ISA_NAME "portable" /* the others put the first byte of a word lowest */
#elif defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#define ISA_MVE /* Helium: Cortex-M52, M55, M85 */
#define ISA_NAME "mve"
#elif defined(__ARM_FEATURE_DSP) && defined(__ARM_FEATURE_SIMD32) && defined(__thumb2__) && \
    defined(__GNUC__) && defined(__OPTIMIZE__)
/* Four bytes in a register: Cortex-M4, M7, M33. The assembly is GCC's and Clang's and needs more
 * registers than there are without optimization. */
#define ISA_DSP
#define ISA_NAME "dsp"
#else
#define ISA_NAME "portable"
#endif

#endif
