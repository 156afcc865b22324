"""Line and point charts as SVG, for the report's page.

Colours come from the page: the i-th series has class `s<i>`. Every mark has a <title>, which
browsers show under the pointer and screen readers read.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT = 680, 380
LEFT, RIGHT, TOP, BOTTOM = 74, 30, 14, 52
POINT, LINE = 4.5, 14  # radius of a point, height of a line of text

Show = Callable[[float], str]


@dataclass(frozen=True)
class Series:
    """Points (x, y) under one name; `style` is the number of its colour."""

    name: str
    points: Sequence[tuple[float, float]]
    style: int


@dataclass(frozen=True)
class Axis:
    """From data to pixels: `low` to `high` at `start` to `end`; ticks with their labels."""

    title: str
    ticks: Sequence[float]
    low: float
    high: float
    start: float
    end: float
    logarithmic: bool
    show: Show

    def place(self, value: float) -> float:
        low, high, at = (
            (math.log(x) if self.logarithmic else x) for x in (self.low, self.high, value)
        )
        share = (at - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)


def x_axis(title: str, values: Sequence[float], ticks: Sequence[float] | None, show: Show) -> Axis:
    """A logarithmic axis below: at these ticks, or 1, 2 and 5 times powers of 10."""
    low, high = min(values), max(values)
    if ticks is None:
        low, high = low / 2, high * 2
        ticks = _round_numbers(low, high, (1, 2, 5))
    return Axis(title, ticks, low, high, LEFT, WIDTH - RIGHT, True, show)


def energy_axis(title: str, values: Sequence[float], show: Show) -> Axis:
    """A logarithmic axis at the side, with ticks at powers of 10."""
    low = 10 ** math.floor(math.log10(min(values)))
    high = max(10 ** math.ceil(math.log10(max(values))), 10 * low)
    ticks = _round_numbers(low, high, (1,))
    return Axis(title, ticks, low, high, HEIGHT - BOTTOM, TOP, True, show)


def share_axis(title: str, values: Sequence[float], show: Show) -> Axis:
    """A linear axis at the side for fractions, with ticks at half, whole or several percents."""
    low, high = min(values), max(values)
    step = next(s for s in (0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25) if s * 6 >= high - low)
    first, last = math.floor(low / step - 0.2), math.ceil(high / step + 0.2)
    ticks = [step * i for i in range(first, last + 1)]
    return Axis(title, ticks, ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP, False, show)


def lines(name: str, x: Axis, y: Axis, series: Sequence[Series]) -> Markup:
    """A line with points for each series."""
    parts = []
    for one in series:
        path = " ".join(f"{x.place(a):.1f},{y.place(b):.1f}" for a, b in one.points)
        parts.append(Markup('<polyline class="line s{}" points="{}"/>').format(one.style, path))
        parts.append(_points(x, y, one))
    return _figure(name, x, y, parts)


def scatter(name: str, x: Axis, y: Axis, series: Sequence[Series]) -> Markup:
    """A point for each model, its name beside it."""
    named = [(x.place(a), y.place(b), one.name) for one in series for a, b in one.points]
    return _figure(name, x, y, [*(_points(x, y, one) for one in series), _names(named)])


def _names(points: Sequence[tuple[float, float, str]]) -> Markup:
    """Names beside points, right or left of them, each a line below the one above."""
    label = Markup('<text class="name" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>')
    made, last = [], {False: -math.inf, True: -math.inf}
    for x, y, name in sorted(points, key=lambda point: point[1]):
        left = x > WIDTH * 0.6
        last[left] = max(y + 4, last[left] + LINE)
        at, anchor = x + (-9 if left else 9), "end" if left else "start"
        made.append(label.format(at, last[left], anchor, name))
    return Markup("").join(made)


def _points(x: Axis, y: Axis, series: Series) -> Markup:
    circle = Markup('<circle class="point s{}" cx="{:.1f}" cy="{:.1f}" r="{}">{}</circle>')
    title = Markup("<title>{}: {}, {}</title>")
    return Markup("").join(
        circle.format(
            series.style,
            x.place(a),
            y.place(b),
            POINT,
            title.format(series.name, x.show(a), y.show(b)),
        )
        for a, b in series.points
    )


def _figure(name: str, x: Axis, y: Axis, parts: Sequence[Markup]) -> Markup:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    grid = [
        Markup(
            '<line class="grid" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>'
            '<text x="{0:.1f}" y="{3}" text-anchor="middle">{4}</text>'
        ).format(x.place(tick), TOP, bottom, bottom + 18, x.show(tick))
        for tick in x.ticks
    ] + [
        Markup(
            '<line class="grid" x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/>'
            '<text x="{3}" y="{4:.1f}" text-anchor="end">{5}</text>'
        ).format(LEFT, right, y.place(tick), LEFT - 8, y.place(tick) + 4, y.show(tick))
        for tick in y.ticks
    ]
    titles = Markup(
        '<text class="axis" x="{}" y="{}" text-anchor="middle">{}</text>'
        '<text class="axis" transform="translate(14 {}) rotate(-90)" text-anchor="middle">{}</text>'
    ).format((LEFT + right) / 2, HEIGHT - 8, x.title, (TOP + bottom) / 2, y.title)
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, name, Markup("").join([*grid, titles, *parts])
    )


def _round_numbers(low: float, high: float, digits: Sequence[int]) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    numbers = (digit * 10.0**power for power in powers for digit in digits)
    return [n for n in numbers if low * (1 - 1e-9) <= n <= high * (1 + 1e-9)]
