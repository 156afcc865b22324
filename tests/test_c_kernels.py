"""The kernels of export/c equal the oracle on every case, on every target at hand; and the cases
notice mistakes in them."""

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from c_kernels import KERNELS, cases_file, compile_cases, skip_without

from benchmarks.mcu.attention import MODEL_ID, SOURCES
from benchmarks.mcu.targets import GCC, M4, M55, TARGETS, WARNINGS, Target
from inhibi.engine.errors import InputError


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cases_file(tmp_path_factory.mktemp("cases"))


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_equal_to_the_oracle(target: Target, cases: Path, tmp_path: Path) -> None:
    skip_without(target)
    printed = compile_cases(target, tmp_path).run(cases.parent)
    expected = "portable"
    if target.script and "portable" not in target.name:
        expected = "mve" if target is M55 else "dsp"
    assert printed.startswith(f"{expected}: "), printed
    assert ", 0 wrong" in printed


def test_the_switch_to_cmsis_nn(cases: Path, tmp_path: Path) -> None:
    """A stand-in has its function's arguments and, like it, adds to what is there."""
    skip_without(GCC)
    switched = GCC.but("gcc", "-DUSE_CMSIS_NN", f"-I{Path(__file__).parent / 'c' / 'cmsis_nn'}")
    assert ", 0 wrong" in compile_cases(switched, tmp_path).run(cases.parent)


@pytest.mark.parametrize("cpu", ["cortex-m3", "cortex-m4", "cortex-m55"])
def test_clang_compiles_for_arm(cpu: str, tmp_path: Path) -> None:
    """To objects: registers of inline assembly are given at the end."""
    headers = Path("/usr/lib/arm-none-eabi/include")
    if not shutil.which("clang") or not headers.is_dir():
        pytest.skip("no clang or no newlib: run .ci/install-emulators")
    (tmp_path / "model_id.h").write_text(MODEL_ID)
    options = [f"-mcpu={cpu}", "--target=arm-none-eabi", "-mthumb", f"-isystem{headers}"]
    for name in SOURCES:
        command = ["clang", *options, *WARNINGS, "-O2", f"-I{KERNELS}", f"-I{tmp_path}"]
        command += ["-c", str(KERNELS / f"{name}.c"), "-o", str(tmp_path / "made.o")]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


class Mutation(NamedTuple):
    target: Target
    file: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.target.name} {self.file}: {self.old}"


MUTATIONS = [
    # the definition
    Mutation(GCC, "requantize.c", "1 << (shift - 1)", "0 << (shift - 1)"),
    Mutation(GCC, "requantize.c", "(512 * sum + (uint32_t)n)", "(512 * sum)"),
    Mutation(GCC, "requantize.c", "p->table[p->run_table[run]]", "p->table[0]"),
    Mutation(GCC, "fixed.h", ">> (shift - 33)) + 1)", ">> (shift - 33)))"),
    Mutation(GCC, "norm.c", "32767);\n    } else", "32768);\n    } else"),
    Mutation(GCC, "norm.c", "sum * sum) + 1)", "sum * sum) + 2)"),
    Mutation(GCC, "norm.c", "+ deviation / 2", "+ 0"),
    Mutation(GCC, "norm.c", "* reciprocal + (1 << 23);", "* reciprocal;"),
    Mutation(GCC, "norm.c", "reciprocal + (1 << 23)) >> 24", "reciprocal) >> 24"),
    Mutation(GCC, "norm.c", "reciprocal <= INT32_MAX", "1"),
    Mutation(GCC, "norm.c", "(root >> 1) + bit", "(root >> 1)"),
    Mutation(GCC, "inhibitor.c", "(2 * sum + n)", "(2 * sum)"),
    Mutation(GCC, "inhibitor.c", "d <= 64", "d <= 128"),
    Mutation(GCC, "inhibitor.c", "length + (1 << 14)", "length"),
    Mutation(GCC, "inhibitor_portable.h", "127 ? 127 : score", "127 ? 126 : score"),
    Mutation(GCC, "inhibitor_portable.h", "v + z[j]", "v"),
    Mutation(GCC, "inhibitor_portable.h", "is_signed ||", "1 ||"),
    Mutation(GCC, "dot_product.c", "index < 255 ? index : 255", "index & 255"),
    Mutation(GCC, "dot_product_portable.h", "sum / 2) / sum", "sum / 3) / sum"),
    # DSP
    Mutation(M4, "requantize.c", "__uadd8(__uqsub8(four, 0x01010101u), 0x01010101u)", "four"),
    Mutation(M4, "requantize.c", "(a | b | c | d) < 0", "(a | b | c) < 0"),
    Mutation(M4, "product_dsp.h", '"smlad %[d], r11, r4, %[d]\\n"', '""'),
    Mutation(M4, "product_dsp.h", "x[1], odd_bytes(bytes)", "x[1], even_bytes(bytes)"),
    Mutation(M4, "dsp.h", "ror #8", "ror #16"),
    Mutation(M4, "inhibitor_dsp.h", '"usada8 %[b], r5, r9, %[b]\\n"', '""'),
    Mutation(GCC, "product_portable.h", "p->bias[m]", "0"),
    Mutation(M4, "inhibitor_dsp.h", "columns[3] = c >> 16", "columns[3] = a >> 16"),
    Mutation(M4, "inhibitor_dsp.h", "[3] * m + offset) >> shift, 7)", "[3] * m) >> shift, 7)"),
    Mutation(M4, "inhibitor_dsp.h", "return __usada8(to[1], 0, sum)", "return sum"),
    Mutation(M4, "inhibitor_dsp.h", "i < 4 && j + i < n", "i < 4"),
    Mutation(M4, "dot_product.c", "most - s[j], high), 8)", "most - s[j], high), 7)"),
    Mutation(M4, "dot_product_dsp.h", "+ half) / sum", ") / sum"),
    Mutation(M4, "dot_product_dsp.h", "to[3] = c >> 16", "to[3] = a >> 16"),
    # Helium
    Mutation(M55, "requantize.c", "vdupq_n_s32(-127)", "vdupq_n_s32(-128)"),
    Mutation(M55, "requantize.c", "vrshlq_s32", "vshlq_s32"),
    Mutation(M55, "product_mve.h", "d = vmladavaq_s8(d, second, v);\n  }\n  if", "}\n  if"),
    Mutation(M55, "inhibitor_mve.h", "keys + 3 * width)", "keys + 2 * width)"),
    Mutation(M55, "inhibitor_mve.h", "255 * pack", "254 * pack"),
    Mutation(M55, "inhibitor_mve.h", "vqsubq_u8(vld1q_u8(values), z)", "vld1q_u8(values)"),
    Mutation(M55, "dot_product_mve.h", "128 * total", "127 * total"),
]


@pytest.mark.slow
@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_cases_notice(mutation: Mutation, cases: Path, tmp_path: Path) -> None:
    skip_without(mutation.target)
    kernels = tmp_path / "kernels"
    shutil.copytree(KERNELS, kernels)
    text = (kernels / mutation.file).read_text()
    assert mutation.old in text, "this mutation has lost its place"
    (kernels / mutation.file).write_text(text.replace(mutation.old, mutation.new))
    unchecked = mutation.target.but(mutation.target.name, "-w")
    program = compile_cases(unchecked, tmp_path, kernels)
    with pytest.raises(InputError):
        program.run(cases.parent)
