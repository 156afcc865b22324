/* Which instructions the kernels use, from the ACLE macros that the compiler sets for the target.
 * Define PORTABLE_KERNELS to use none: plain C99, the definition. The results are the same bits. */
#ifndef ISA_H
#define ISA_H

#if defined(PORTABLE_KERNELS)
#define ISA_NAME "portable"
#elif defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#define ISA_MVE /* Helium: Cortex-M52, M55, M85 */
#define ISA_NAME "mve"
#elif defined(__ARM_FEATURE_DSP) && defined(__ARM_FEATURE_SIMD32) && defined(__OPTIMIZE__)
/* Their assembly is GCC's and Clang's and needs all registers, which -O0 does not give. */
#define ISA_DSP /* four bytes in a register: Cortex-M4, M7, M33 */
#define ISA_NAME "dsp"
#else
#define ISA_NAME "portable"
#endif

#endif
