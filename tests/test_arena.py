"""Buffers that live at the same time do not share memory."""

from hypothesis import given
from hypothesis import strategies as st

from inhibi.export.c.arena import ALIGNMENT, Buffer, plan


@st.composite
def buffers(draw: st.DrawFn) -> list[Buffer]:
    spans = draw(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4), st.integers(0, 99))))
    return [
        Buffer(str(i), size, first, first + more) for i, (first, more, size) in enumerate(spans)
    ]


@given(buffers())
def test_those_that_meet_lie_apart(made: list[Buffer]) -> None:
    offsets, size = plan(made)
    for buffer in made:
        start = offsets[buffer.name]
        assert start % ALIGNMENT == 0
        assert start + buffer.size <= size
        for other in made:
            if other is not buffer and buffer.meets(other) and buffer.size and other.size:
                first, second = sorted((buffer, other), key=lambda b: offsets[b.name])
                assert offsets[first.name] + first.size <= offsets[second.name]


def test_memory_is_used_again() -> None:
    chain = [Buffer(str(i), 64, i, i + 1) for i in range(10)]
    assert plan(chain)[1] == 128


def test_nothing_needs_nothing() -> None:
    assert plan([]) == ({}, 0)
