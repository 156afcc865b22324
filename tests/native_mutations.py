"""Mistakes to make in engine/native: at least one in each kernel of each instruction set.

`text` has the place where `old` becomes `new`, and `source` is what is compiled again: itself, or
one that includes it. The name of what is found wrong first, best first, must begin with `isa`.
"""

from typing import NamedTuple


class Mutation(NamedTuple):
    source: str
    old: str
    new: str
    isa: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.source}: {self.old}"


LOOPS = "row_loops.h"
COLUMNS = "columns_avx512.h"
X86 = (
    Mutation("attention", "(2 * sum + n)", "(2 * sum)", ""),
    Mutation("attention", "task / a.heads % parts(a)", "task * 0", "", "task.h"),
    Mutation("attention", "(m + (1 << 14))", "m", ""),
    Mutation("pack", "is_signed ? -128 : 0", "is_signed ? -127 : 0", "scalar"),
    # requantization and layer norms
    Mutation("rows_scalar", "p->table[y]", "p->table[y & 127]", "scalar"),
    Mutation("rows_scalar", "-32767, 32767", "-32768, 32767", "scalar"),
    Mutation("rows_scalar", "* p->residual_multiplier[k]", "* 64", "scalar"),
    Mutation("rows_avx2", "scale[k] + 0.5", "scale[k] + 0.49", "avx2", LOOPS),
    Mutation("rows_avx2", "_mm256_set1_epi8(0x70)", "_mm256_set1_epi8(0x60)", "avx2"),
    Mutation("rows_avx2", "root / 2", "0", "avx2", LOOPS),
    Mutation("rows_avx2", "* p.residual_multiplier[k]", "* 64", "avx2", LOOPS),
    Mutation("rows_avx2", "std::floor((times", "((times", "avx2", LOOPS),
    Mutation("rows_avx512", "maskz_cvtsepi64_epi8", "maskz_cvtepi64_epi8", "avx512", COLUMNS),
    Mutation("rows_avx512", "_mm512_slli_epi16(byte, 3)", "byte", "avx512"),
    Mutation("norm_avx512", "all <= INT32_MAX", "true", "avx512"),
    Mutation(
        "norm_avx512", "load(p.residual_multiplier + k, n)", "_mm512_set1_epi32(64)", "avx512"
    ),
    Mutation("norm_avx512", "_mm512_set1_epi64(1 << 23)", "_mm512_setzero_si512()", "avx512"),
    # inhibitor attention
    Mutation("inhibitor_scalar", "(score, 0, 127)", "(score, 0, 126)", ""),
    Mutation("inhibitor_scalar", "std::min<int32_t>(magnitude[at], limit)", "limit", "scalar"),
    Mutation("inhibitor_avx2", "_mm256_set1_epi8(127)", "_mm256_set1_epi8(126)", "avx2"),
    Mutation("inhibitor_avx2", "_mm256_slli_epi64(odd[i], 32)", "odd[i]", "avx2"),
    Mutation("inhibitor_avx2", "sign + at + 32", "sign + at", "avx2"),
    Mutation("inhibitor_avx512", "_mm512_sad_epu8(odds, q)", "odds", "avx512"),
    Mutation("inhibitor_avx512", "_mm512_set1_epi8(127)", "_mm512_set1_epi8(126)", "avx512"),
    Mutation("inhibitor_avx512", "_mm512_maddubs_epi16(least", "(least", "avx512bw"),
    Mutation("inhibitor_avx512", "_mm512_min_epu8(value[r], limit)", "limit", "avx512vnni"),
    # dot-product attention
    Mutation("dot_product_scalar", "sum / 2", "0", "scalar"),
    Mutation("dot_product_avx2", "_mm256_set1_epi32(255)", "_mm256_set1_epi32(254)", "avx2"),
    Mutation(
        "dot_product_avx2", "permute4x64_epi64(b, 0xd8)", "permute4x64_epi64(b, 0xe4)", "avx2"
    ),
    Mutation("dot_product_avx2", "query[k] - 128", "query[k] - 127", "avx2"),
    Mutation("dot_product_avx512", "dpbusd_epi32(sum, zero_point", "add_epi32(sum", "avx512vnni"),
    Mutation("dot_product_avx512", "query[k] - 128", "query[k] - 127", "avx512bw"),
    Mutation("dot_product_avx512", "_mm512_set1_epi32(255)", "_mm512_set1_epi32(254)", "avx512"),
    Mutation(
        "dot_product_avx512",
        "dpbusd_epi32(acc[i][r], weight, v",
        "add_epi32(weight, v",
        "avx512vnni",
    ),
    Mutation("dot_product_avx512", "_mm512_srli_epi64(acc[i][r], 32)", "acc[i][r]", "avx512bw"),
)
AARCH64 = (
    Mutation("rows_neon", "scale[k] + 0.5", "scale[k] + 0.49", "dotprod", LOOPS),
    Mutation("rows_neon", "* p.residual_multiplier[k]", "* 64", "dotprod", LOOPS),
    Mutation("rows_neon", "quarters[q], vsub", "quarters[0], vsub", "dotprod"),
    Mutation("rows_neon", "std::floor((times", "((times", "dotprod", LOOPS),
    Mutation("pack_neon", "vaddw_high_u8(sum[1], row[r])", "sum[0]", "dotprod"),
    Mutation("inhibitor_neon", "vabdq_u8(key[r], q), ones", "vsubq_u8(key[r], q), ones", "dotprod"),
    Mutation("inhibitor_neon", "vdupq_n_u8(127)", "vdupq_n_u8(126)", "dotprod"),
    Mutation("inhibitor_neon", "vreinterpretq_s8_u8(kept), signs);", "signs, signs);", "dotprod"),
    Mutation("inhibitor_neon", "acc[i][r], vabdq_u8(key[r], q));", "acc[i][r], key[r]);", "neon"),
    Mutation("inhibitor_neon", "start += 128", "start += 129", "neon"),
    Mutation("dot_product_neon", "vdotq_s32(acc[i][r], key[r], q)", "acc[i][r]", "dotprod"),
    Mutation("dot_product_neon", "vmull_high_s8(key, q)", "vmull_high_s8(q, q)", "neon"),
    Mutation("dot_product_neon", "vdupq_n_u32(255)", "vdupq_n_u32(254)", "dotprod"),
    Mutation("dot_product_neon", "vshlq_n_u32(sum, 7)", "vshlq_n_u32(sum, 6)", "dotprod"),
    Mutation("dot_product_neon", "_high_u8(four, weight)", "_high_u8(four, four)", "neon"),
)
