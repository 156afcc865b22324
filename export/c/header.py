"""model.h of a C project: what a user calls."""

from inhibi.engine.metadata import Metadata
from inhibi.export.c.program import Program

TYPES = {"classification": "int32_t", "regression": "int32_t", "embedding": "int8_t"}


def header(program: Program, origin: str) -> str:
    """model.h: what a user calls."""
    m = program.metadata
    kind, output = TYPES[m.problem], m.output
    return f"""\
/* {origin}
 *
 * {describe(m)} */
#ifndef MODEL_H
#define MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "model_id.h"

#ifdef __cplusplus
extern "C" {{
#endif

#define MODEL_MAX_TOKENS {program.max_tokens}
#define MODEL_VOCABULARY {m.vocabulary}
#define MODEL_TEXTS {m.texts} /* of an example: 1, or 2 for a pair */
#define MODEL_OUTPUTS {m.hidden if m.problem == "embedding" else len(m.labels)}
#define MODEL_OUTPUT {kind}

enum model_status {{
  MODEL_OK = 0,
  MODEL_NULL = -1,   /* a pointer is NULL */
  MODEL_LENGTH = -2, /* no token, or more than MODEL_MAX_TOKENS */
  MODEL_ID = -3      /* an id that is not below MODEL_VOCABULARY */
}};

/* Token ids of a sentence, special ones included, to {_output(m)}
 * A status above; where it is not MODEL_OK nothing has been written. Not reentrant: tensors lie in
 * one static block of {program.arena} bytes. */
int model_run(const model_id* ids, size_t n, {kind} {output}[MODEL_OUTPUTS]);
{_pair_declared(m)}{_labels(m)}
#ifdef __cplusplus
}}
#endif

#endif
"""


def _output(m: Metadata) -> str:
    if m.problem == "embedding":
        return f"a vector, these times {m.output_scale!r}."
    if m.problem == "regression":
        return f"one number: {m.output_scale!r} times the logit."
    return (
        "logits, the largest of which is the answer.\n"
        f" * The float model's are these times {m.output_scale!r}."
    )


def _labels(m: Metadata) -> str:
    if m.problem != "classification":
        return ""
    return "\n#define MODEL_LABELS\nextern const char* const model_labels[MODEL_OUTPUTS];\n"


def _pair_declared(m: Metadata) -> str:
    if m.texts == 1:
        return ""
    return f"""
/* The same where the ids from `second` on are the second text's, as tokenizer_encode_pair says;
 * MODEL_LENGTH where second > n. model_run takes those behind the first [SEP]. */
int model_run_pair(const model_id* ids, size_t n, size_t second,
                   {TYPES[m.problem]} {m.output}[MODEL_OUTPUTS]);
"""


def describe(m: Metadata) -> str:
    """One line about a student."""
    return (
        f"{m.family}, {m.attention.replace('_', ' ')} attention, {m.layers} layers, "
        f"{m.hidden} channels, {m.heads} heads, {m.intermediate} wide, {m.vocabulary} tokens known."
    )
