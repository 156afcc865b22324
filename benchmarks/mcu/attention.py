"""Instructions of both attentions alone, and of a multiply-accumulate."""

import tempfile
from importlib.resources import as_file, files
from pathlib import Path

from benchmarks.mcu.students import TICK
from benchmarks.mcu.targets import BOARD, Target, build

SOURCES = ("requantize", "norm", "product", "inhibitor", "dot_product")
MODEL_ID = "#include <stdint.h>\ntypedef uint16_t model_id;\n"


def attention_instructions(target: Target, folder: Path) -> dict[str, float]:
    """64 tokens, 128 channels, signed and centred: "inhibitor 32" and so on by operator and head
    width; "product": instructions for a multiply-accumulate of the matrix kernel."""
    place = Path(tempfile.mkdtemp(dir=folder))
    (place / "model_id.h").write_text(MODEL_ID)
    with as_file(files("inhibi.export.c") / "kernels") as kernels:
        sources = [BOARD / "attention.c", *(kernels / f"{name}.c" for name in SOURCES)]
        given = target.but(target.name, f"-I{kernels}")
        program = build(given, sources, place / "program", place, defines={"TICK": str(TICK)})
    found: dict[str, float] = {}
    for line in program.run(place, instructions=True).splitlines():
        name, size, count = line.split()
        if name == "product":
            found[name] = round(int(count) / int(size), 3)
        else:
            found[f"{name} {size}"] = int(count)
    return found
