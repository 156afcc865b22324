"""model.c of a C project, and the files of its constants."""

from collections.abc import Iterator

from inhibi.engine.metadata import Metadata
from inhibi.export.c.arrays import identifier
from inhibi.export.c.header import TYPES
from inhibi.export.c.program import Call, Program


def model(program: Program, separator: int) -> str:
    """model.c. separator: the id behind a pair's first text."""
    m = program.metadata
    output = m.output
    return f"""\
/* One call for each operator of the student's file, which has the same names. A product and the
 * operator that takes its accumulators are one call. Sizes: n tokens. */
#include "model.h"

#include "kernels.h"
#include "parameters.h"

#ifdef MODEL_TRACE /* for those who look inside: called after each operator */
void model_trace(const char* name, const uint8_t* tensor, size_t size);
#define TRACE(name, tensor, size) model_trace(name, tensor, size)
#else
#define TRACE(name, tensor, size) ((void)0)
#endif

/* Tensors whose lives do not meet share their places. */
static union {{
  int64_t aligned;
  uint8_t bytes[{program.arena}];
}} arena;
{_label_names(m)}
static int check(const model_id* ids, size_t n, const void* output) {{
  if (!ids || !output) return MODEL_NULL;
  if (n < 1 || n > MODEL_MAX_TOKENS) return MODEL_LENGTH;
  for (size_t i = 0; i < n; ++i) {{
    if (ids[i] >= MODEL_VOCABULARY) return MODEL_ID;
  }}
  return MODEL_OK;
}}

{_signature(m)} {{
  const int status = check(ids, n, {output});
  if (status != MODEL_OK) return status;
{"  if (second > n) return MODEL_LENGTH;" if m.texts == 2 else ""}
{_types(program)}
{"".join(_call(program, i, call) for i, call in enumerate(program.calls))}  return MODEL_OK;
}}
{_pair_found(m, separator)}"""


def _signature(m: Metadata) -> str:
    output = f"{TYPES[m.problem]} {m.output}[MODEL_OUTPUTS]"
    if m.texts == 1:
        return f"int model_run(const model_id* ids, size_t n, {output})"
    return f"int model_run_pair(const model_id* ids, size_t n, size_t second,\n    {output})"


def _pair_found(m: Metadata, separator: int) -> str:
    if m.texts == 1:
        return ""
    return f"""
int model_run(const model_id* ids, size_t n, {TYPES[m.problem]} {m.output}[MODEL_OUTPUTS]) {{
  const int status = check(ids, n, {m.output});
  if (status != MODEL_OK) return status;
  size_t second = 0;
  while (second < n && ids[second] != {separator}) ++second;
  return model_run_pair(ids, n, second < n ? second + 1 : n, {m.output});
}}
"""


def _label_names(m: Metadata) -> str:
    if m.problem != "classification":
        return ""
    names = ", ".join(quoted(label) for label in m.labels)
    return f"\nconst char* const model_labels[MODEL_OUTPUTS] = {{{names}}};\n"


def quoted(text: str) -> str:
    """A C string literal; bytes beyond printable ASCII as octal numbers, which have an end."""
    parts = (chr(b) if 32 <= b < 127 and b not in b'"\\?' else f"\\{b:03o}" for b in text.encode())
    return f'"{"".join(parts)}"'


def _types(program: Program) -> str:
    second = program.metadata.texts == 2 and program.metadata.token_types
    return f"""\
  uint8_t* const types = {_place(program, "types")};
  for (size_t i = 0; i < n; ++i) types[i] = {"i >= second" if second else "0"};
"""


def _call(program: Program, step: int, call: Call) -> str:
    return "".join(f"  {line}\n" for line in _call_lines(program, step, call)) + "\n"


def _call_lines(program: Program, step: int, call: Call) -> Iterator[str]:
    made, scratch = call.output, f"scratch_{step}"
    name = call.parameters.name if call.parameters else program.metadata.output
    yield f"/* {name}: {call.comment} */"
    if made:
        yield f"uint8_t* const {identifier(made.name)} = {_place(program, made.name)};"
    if call.scratch:
        yield f"void* const {scratch} = {_place(program, f'scratch {step}')};"
    yield call.code.replace("scratch)", f"{scratch})")
    if made:
        size = f"{made.rows} * {made.width}"
        yield f'TRACE("{made.name}", {identifier(made.name)}, {size});'
    else:
        output = program.metadata.output
        yield f'TRACE("{name}", (const uint8_t*){output}, sizeof *{output} * MODEL_OUTPUTS);'
    for alias in program.aliases(name):
        yield f"uint8_t* const {identifier(alias)} = {identifier(name)}; /* its first row */"


def _place(program: Program, name: str) -> str:
    return f"arena.bytes + {program.offsets[name]}"


def parameters_header(program: Program) -> str:
    """parameters.h: the structures that model.c names."""
    declared = "".join(
        f"extern const {call.parameters.kind} {call.parameters.variable};\n"
        for call in program.calls
        if call.parameters
    )
    return f"""\
/* The student's constants, each node's in a structure. */
#ifndef PARAMETERS_H
#define PARAMETERS_H

#include "kernels.h"

{declared}
#endif
"""


def parameters_files(program: Program) -> dict[str, str]:
    """parameters_*.c: one file for each layer, for the embeddings and for the head."""
    files: dict[str, list[str]] = {}
    for call in program.calls:
        if call.parameters:
            parts = call.parameters.name.split(".")
            part = "_".join(parts[:2]) if parts[0] == "layer" else parts[0]
            part = part if part.startswith(("layer", "embeddings")) else "head"
            files.setdefault(f"parameters_{part}.c", []).append(call.parameters.source())
    return {name: '#include "parameters.h"\n\n' + "\n".join(texts) for name, texts in files.items()}
