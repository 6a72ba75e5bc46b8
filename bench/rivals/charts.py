"""Charts of bars and of lines as SVG: standard library only, readable on light and on dark pages, no script, no font of their own."""

import math
from html import escape

WIDTH = 880
LEFT, RIGHT, BAND = 56, 16, 250  # the band is the height of the plot
FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"

# Colours that stay apart for colour-blind readers and on both backgrounds (after Okabe and Ito).
COLOURS = {
    "purezmq": "#d9480f",
    "purezmq:mt": "#f59f6c",
    "purezmq:io": "#a33b0b",
    "purezmq:busy": "#ffc9a3",
    "omq:spin": "#0b3d66",
    "libzmq": "#7d8590",
    "libzmq-4.3.5": "#4b5259",
    "omq": "#0072b2",
    "omq:ct": "#56b4e9",
    "monocoque": "#009e73",
    "zmqrs": "#cc79a7",
    "rzmq": "#e6a700",
    "raw": "#b1b8c0",
    "raw:epoll": "#c9b458",
    "raw:tokio": "#a9a16a",
    "raw:task": "#7f7a52",
}
SPARE = ["#8250df", "#4d7c0f", "#0f766e", "#9f1239"]

STYLE = """
.page { fill: #ffffff; } .text { fill: #1f2328; } .faint { fill: #59636e; }
.grid { stroke: #d1d9e0; } .axis { stroke: #59636e; }
@media (prefers-color-scheme: dark) {
.page { fill: #0d1117; } .text { fill: #f0f6fc; } .faint { fill: #9198a1; }
.grid { stroke: #3d444d; } .axis { stroke: #9198a1; }
}
"""


def colour(name, names):
    if name in COLOURS:
        return COLOURS[name]
    unknown = [n for n in names if n not in COLOURS]
    return SPARE[unknown.index(name) % len(SPARE)]


def page(title, subtitle, names, stamp):
    """What stands above a plot; with the heights of the plot's ceiling and floor."""
    legend, legend_rows = legend_of(names)
    y0 = 62 + 20 * legend_rows + 34  # room for the labels on the highest bars
    floor = y0 + BAND
    height = floor + 34
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
           f'viewBox="0 0 {WIDTH} {height}" font-family="{FONT}" role="img" aria-label="{escape(title)}">',
           f"<style>{STYLE}</style>", f'<rect class="page" width="{WIDTH}" height="{height}" rx="6"/>',
           f'<text class="text" x="16" y="28" font-size="17" font-weight="600">{escape(title)}</text>',
           f'<text class="faint" x="16" y="48" font-size="12.5">{escape(subtitle)}</text>']
    if stamp:
        out.append(f'<text class="text" x="{WIDTH - RIGHT}" y="28" font-size="13" font-weight="700" '
                   f'text-anchor="end">{escape(stamp)}</text>')
    for name, x, row in legend:
        out.append(f'<rect x="{x}" y="{60 + 20 * row}" width="12" height="12" rx="2" fill="{colour(name, names)}"/>')
        out.append(f'<text class="text" x="{x + 17}" y="{70.5 + 20 * row}" font-size="12.5">{escape(name)}</text>')
    return out, y0, floor


def rule(y, text):
    """A line across the plot, with what it means."""
    return [f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>',
            f'<text class="faint" x="{LEFT - 7}" y="{y + 4:.1f}" font-size="11.5" text-anchor="end">{text}</text>']


def bars(title, subtitle, groups, names, value, label, mark=None, stamp=None):
    """A chart of grouped bars.

    `value(group, name)` is a bar's height or None, `label(height)` what stands on it; `mark` draws a line across;
    `stamp` is a warning in the corner.
    """
    names = [n for n in names if any(value(g, n) is not None for g in groups)]
    heights = [v for g in groups for n in names if (v := value(g, n)) is not None]
    if not heights:
        return None
    top, ticks = scale(max(heights) * 1.02)
    out, _, floor = page(title, subtitle, names, stamp)

    def y(v):
        return floor - BAND * min(v, top) / top

    for tick in ticks:
        out += rule(y(tick), f"{tick:g}")
    if mark is not None:
        out.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(mark):.1f}" y2="{y(mark):.1f}" '
                   'stroke-dasharray="5 4"/>')
    room = (WIDTH - LEFT - RIGHT) / len(groups)
    width = min(30.0, room * 0.88 / len(names))
    for number, group in enumerate(groups):
        middle = LEFT + room * (number + 0.5)
        out.append(f'<text class="text" x="{middle:.1f}" y="{floor + 21}" font-size="13" '
                   f'text-anchor="middle">{escape(group)}</text>')
        for place, name in enumerate(names):
            x = middle + width * (place - len(names) / 2)
            out += bar(x, width, floor, y, value(group, name), label, colour(name, names), name.startswith("purezmq"))
    out.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{floor}" y2="{floor}"/>')
    out.append("</svg>\n")
    return "\n".join(out)


def lines(title, subtitle, steps, names, value, label, stamp=None):
    """A chart with a line for each name over steps that are evenly apart; heights on a logarithmic scale. Arguments as for `bars`."""
    names = [n for n in names if any(value(s, n) for s in steps)]
    heights = [v for s in steps for n in names if (v := value(s, n))]
    if not heights:
        return None
    low, high = 10.0 ** math.floor(math.log10(min(heights))), 10.0 ** math.ceil(math.log10(max(heights) * 1.01))
    out, y0, floor = page(title, subtitle, names, stamp)

    def y(v):
        return floor - BAND * math.log(v / low) / math.log(high / low)

    tick = low
    while tick < high * 1.01:
        out += rule(y(tick), f"{tick:,g}")
        tick *= 10
    room = (WIDTH - LEFT - RIGHT) / len(steps)
    for number, step in enumerate(steps):
        out.append(f'<text class="text" x="{LEFT + room * (number + 0.5):.1f}" y="{floor + 21}" font-size="13" '
                   f'text-anchor="middle">{escape(step)}</text>')
    for name in names:
        points = [(LEFT + room * (number + 0.5), y(v), v) for number, step in enumerate(steps) if (v := value(step, name))]
        ours = name.startswith("purezmq")
        path = " ".join(f"{x:.1f},{at:.1f}" for x, at, _ in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour(name, names)}" stroke-width="{3 if ours else 1.8}"/>')
        for x, at, v in points:
            out.append(f'<circle cx="{x:.1f}" cy="{at:.1f}" r="3" fill="{colour(name, names)}"><title>{escape(name)}: '
                       f'{escape(label(v))}</title></circle>')
    out.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{floor}" y2="{floor}"/>')
    out.append("</svg>\n")
    return "\n".join(out)


def bar(x, width, floor, y, height, label, fill, ours):
    middle = x + width / 2
    if height is None:
        return [f'<text class="faint" x="{middle:.1f}" y="{floor - 5}" font-size="11" text-anchor="middle">&#8211;</text>']
    out = [f'<rect x="{x + 1:.1f}" y="{y(height):.1f}" width="{width - 2:.1f}" height="{floor - y(height):.1f}" '
           f'fill="{fill}"/>']
    weight = ' font-weight="700"' if ours else ""
    x, above = middle + 3.8, y(height) - 4
    out.append(f'<text class="text" x="{x:.1f}" y="{above:.1f}" font-size="10.5"{weight} '
               f'transform="rotate(-90 {x:.1f} {above:.1f})">{escape(label(height))}</text>')
    return out


def scale(highest):
    """The top of the axis and its ticks."""
    step = 10.0 ** -6
    while highest / step > 6:
        for factor in (2, 2.5, 2):  # 1, 2, 5, 10
            step *= factor
            if highest / step <= 6:
                break
    count = int(highest / step) + 1
    return step * count, [step * n for n in range(count + 1)]


def legend_of(names):
    """Each name with its place, and how many rows they take."""
    places, x, row = [], 16, 0
    for name in names:
        width = 17 + 7.4 * len(name) + 18
        if x + width > WIDTH - RIGHT:
            x, row = 16, row + 1
        places.append((name, round(x), row))
        x += width
    return places, row + 1
