"""The operators of docs/SPEC.md as model-local functions of standard ONNX operators.

Any onnxruntime runs them, in integers only. Letters as in SPEC. Sentences are told apart by
comparing sentence numbers [N, N], so any number of them works, at the price of N*N*d temporaries.
"""

from collections.abc import Iterable

from onnx import FunctionProto

from inhibi.export.body_builder import INT8, INT32, INT64, UINT8, UINT16, Body, Value

ISQRT_LIMIT = 26  # v < 4^26


def functions(operators: Iterable[str]) -> list[FunctionProto]:
    """The functions of the named operators, each once, in the order of their first use."""
    return [BODIES[name]() for name in dict.fromkeys(operators)]


def requantize() -> FunctionProto:
    body = Body("Requantize")
    return body.function(_byte(_requantized(body)))


def requantize_lookup() -> FunctionProto:
    body = Body("RequantizeLookup")
    y = 128 + _requantized(body)
    table, index = body.input("table", UINT8), body.input("table_index", UINT8).cast(INT64)
    return body.function(table.reshape(-1).take(index * 256 + y))


def add_layer_norm() -> FunctionProto:
    body = Body("AddLayerNorm")
    limit = body.constant(2**15 - 1)
    acc, bias, multiplier, shift = _ints(body, "acc", "bias", "multiplier", "shift")
    residual = body.input("residual", UINT8).cast(INT64) - 128
    (residual_multiplier,) = _ints(body, "residual_multiplier")
    branch = _req(acc + bias, multiplier, shift, -limit, limit)
    x = branch + residual * residual_multiplier
    return body.function(_byte(_norm(body, x)))


def embed_layer_norm() -> FunctionProto:
    body = Body("EmbedLayerNorm")
    ids = [body.input(f"{name}_ids", INT64) for name in ("input", "position", "token_type")]
    tables = [body.input(name, INT8) for name in ("word", "position", "token_type")]
    t = body.input("table_multiplier", INT32).cast(INT64)
    # Rows are taken before the cast: a runtime would fold the cast of a whole table.
    first, second, third = (
        t.take(i) * table.take(rows).cast(INT64)
        for i, (table, rows) in enumerate(zip(tables, ids, strict=True))
    )
    x = first + second + third
    return body.function(_byte(_norm(body, x)))


def inhibitor_attention() -> FunctionProto:
    body = Body("InhibitorAttention")
    qkv, offsets = body.input("qkv", UINT8), body.input("offsets", INT64)
    m, a, s, multiplier, shift, length = _ints(
        body,
        *("score_multiplier", "score_offset", "score_shift", "multiplier", "shift", "length"),
    )
    centred, signed = body.attribute("centred"), body.attribute("signed")
    q, k, v = _heads(qkv, body.attribute("heads"))  # [H, N, d]
    together, n = _sentences(body, qkv, offsets)  # [N, N], [N, 1]

    distance = abs(q.unsqueeze(2) - k.unsqueeze(1)).sum(3, keepdims=False)  # [H, N, N]
    total = (distance * together.cast(INT32)).sum(2).cast(INT64)
    mean = (2 * total + n) // (2 * n) * centred  # [H, N, 1]
    score = (distance.cast(INT64) - mean) * _per_head(m) + _per_head(a)
    z = _clamp(score >> _per_head(s), body.constant(0), body.constant(127))

    # A key of another sentence is clipped to the whole range: it subtracts what it adds.
    least = body.where(together, (128 - z) * signed - 128, -128).cast(INT32)
    most = body.where(together, z, 127).cast(INT32)
    raised = body.node("Max", v.unsqueeze(1), least.unsqueeze(3))  # [H, N, N, d], int32
    clipped = body.node("Min", raised, most.unsqueeze(3))
    h = v.sum(1) - clipped.sum(2, keepdims=False)  # [H, N, d]

    scaled = (multiplier * length.take(n) + 2**14) >> 15  # [N, C]
    return body.function(_byte(_req(_merged(h), scaled, shift, *_limits(body))))


def dot_product_attention() -> FunctionProto:
    body = Body("DotProductAttention")
    qkv, offsets = body.input("qkv", UINT8), body.input("offsets", INT64)
    m, a, s, multiplier, shift = _ints(
        body, "score_multiplier", "score_offset", "score_shift", "multiplier", "shift"
    )
    table = body.input("table", UINT16)
    q, k, v = _heads(qkv, body.attribute("heads"))  # [H, N, d]
    together, _ = _sentences(body, qkv, offsets)  # [N, N]

    score = q @ k.transpose(0, 2, 1)  # [H, N, N]
    largest = body.where(together, score, -(2**30)).max(2)
    gap = body.where(together, largest - score, 0).cast(INT64)
    index = (gap * _per_head(m) + _per_head(a)) >> _per_head(s)
    e = table.take(body.where(index > 255, 255, index)).cast(INT32) * together.cast(INT32)
    total = e.sum(2)
    p = (255 * e + total // 2) // total
    return body.function(_byte(_req(_merged(p @ v), multiplier, shift, *_limits(body))))


def mean_pool() -> FunctionProto:
    body = Body("MeanPool")
    x, offsets = body.input("x", UINT8).cast(INT64), body.input("offsets", INT64)
    multiplier, shift = _ints(body, "multiplier", "shift")
    starts, ends = offsets.rows(0, -1), offsets.rows(1, 2**31)
    running = body.node("CumSum", x, body.constant(0))
    total = running.take(ends - 1) - (running.take(starts) - x.take(starts))
    n = (ends - starts).unsqueeze(1)
    mean = (512 * total + n) // (2 * n) - 2**15
    return body.function(_byte(_req(mean, multiplier, shift, *_limits(body))))


BODIES = {
    "Requantize": requantize,
    "RequantizeLookup": requantize_lookup,
    "AddLayerNorm": add_layer_norm,
    "EmbedLayerNorm": embed_layer_norm,
    "InhibitorAttention": inhibitor_attention,
    "DotProductAttention": dot_product_attention,
    "MeanPool": mean_pool,
}


def _requantized(body: Body) -> Value:
    acc, bias, multiplier, shift = _ints(body, "acc", "bias", "multiplier", "shift")
    return _req(acc + bias, multiplier, shift, *_limits(body))


def _req(acc: Value, m: Value, s: Value, lo: Value, hi: Value) -> Value:
    return _clamp((acc * m + (1 << (s - 1))) >> s, lo, hi)


def _norm(body: Body, x: Value) -> Value:
    """SPEC's norm of int64 [N, C], with the three inputs that it takes."""
    w, b, t = _ints(body, "weight", "norm_bias", "norm_shift")
    channels = x.size(1)
    u = channels * x - x.sum(1)
    v = (u * u).sum(1) // channels + 1
    d = _isqrt(v)
    r = (2**44 + d // 2) // d
    n = (u * r + 2**23) >> 24
    return _clamp((n * w + b + (1 << (t - 1))) >> t, *_limits(body))


def _isqrt(v: Value) -> Value:
    """Of int64 [N, 1]. The start is 2^i for the first 4^i above v, as a sum of increments."""
    powers = v.body.constant([4**i for i in range(ISQRT_LIMIT)])
    increments = v.body.constant([2] + [2**i for i in range(1, ISQRT_LIMIT)])
    root = ((v >= powers).cast(INT64) * increments).sum(1)
    for _ in range(6):
        root = (root + v // root) // 2
    return root - (root * root > v).cast(INT64)


def _heads(qkv: Value, heads: Value) -> tuple[Value, Value, Value]:
    """uint8 [N, 3C] to the values of q, k and v, int32 [H, N, d] each."""
    values = (qkv.cast(INT32) - 128).reshape(0, 3, heads, -1).transpose(1, 2, 0, 3)
    return values.take(0), values.take(1), values.take(2)


def _merged(context: Value) -> Value:
    """int32 [H, N, d] to int64 [N, C]."""
    return context.transpose(1, 0, 2).reshape(0, -1).cast(INT64)


def _sentences(body: Body, tokens: Value, offsets: Value) -> tuple[Value, Value]:
    """Which tokens stand in one sentence, bool [N, N], and how many, int64 [N, 1]."""
    count = tokens.size(0).take(0)
    position = body.node("Range", body.constant(0), count, body.constant(1))
    number = (position.unsqueeze(1) >= offsets).cast(INT64).sum(1)
    together = number.equals(number.transpose(1, 0))
    return together, together.cast(INT64).sum(1)


def _per_head(x: Value) -> Value:
    return x.unsqueeze(1, 2)


def _clamp(x: Value, lo: Value, hi: Value) -> Value:
    """By Where: onnxruntime's int64 Clip, Min and Max are wrong on x86-64."""
    raised = x.body.where(x < lo, lo, x)
    return x.body.where(raised > hi, hi, raised)


def _ints(body: Body, *names: str) -> list[Value]:
    """The next inputs, as int64 whatever their own type."""
    return [body.input(name, INT32).cast(INT64) for name in names]


def _limits(body: Body) -> tuple[Value, Value]:
    return body.attribute("lo"), body.attribute("hi")


def _byte(y: Value) -> Value:
    return (128 + y).cast(UINT8)
