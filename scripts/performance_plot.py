"""Plots of scripts/performance.py: cost against size, as small SVG files, light and dark."""

import math
from html import escape

WIDTH, HEIGHT = 640, 340
LEFT, RIGHT, TOP, BOTTOM = 74, 16, 44, 52
TO_NANOSECONDS = {"ns": 1, "µs": 1e3, "ms": 1e6, "s": 1e9}

# Of each plot: the benchmark it is drawn from, its title, what its sizes are, and how the names of
# its lines begin. Rates of the same figures are left out.
PLOTS = {
    "decide-role": ("decide_role", "A decision about one account", "mappings", "decide a role, "),
    "group-commit": ("group_commit", "Creates until they are on disk", "creates at once", "group commit: "),
    "pages": ("pages", "Reads behind a list", "users", "pages: "),
    "reconcile": ("reconcile", "A reconciliation of a whole tenant", "accounts", ""),
    "members": ("scaling", "One more member, over HTTP", "members of the group", "add one member"),
    "look-up": ("scaling", "userName eq, over HTTP", "users of the tenant", "look a user up"),
}

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #57606a }
  .title { font-size: 15px; font-weight: 600; fill: #1f2328 }
  .grid { stroke: #d0d7de; stroke-width: 1 }
  .line { fill: none; stroke-width: 2 }
  .s0 { --color: #0969da } .s1 { --color: #bc4c00 } .s2 { --color: #1a7f37 } .s3 { --color: #8250df }
  .line { stroke: var(--color) } .dot, .bar { fill: var(--color) } .name { fill: var(--color) }
  @media (prefers-color-scheme: dark) {
    text { fill: #9198a1 } .title { fill: #f0f6fc } .grid { stroke: #3d444d }
    .s0 { --color: #4493f8 } .s1 { --color: #f0883e } .s2 { --color: #3fb950 } .s3 { --color: #ab7df8 }
  }
"""


def svg(title, parts, height=HEIGHT):
    body = "\n".join(f"  {part}" for part in parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">\n'
        f"  <title>{escape(title)}</title>\n  <style>{STYLE}  </style>\n"
        f'  <text class="title" x="16" y="24">{escape(title)}</text>\n{body}\n</svg>\n'
    )


def text(x, y, content, anchor="start", extra=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{escape(content)}</text>'


def duration(nanoseconds):
    for unit, factor in TO_NANOSECONDS.items():
        if nanoseconds < 1e3 * factor:
            return f"{nanoseconds / factor:g} {unit}"
    return f"{nanoseconds / 1e9:g} s"


def lines(title, of, series):
    """Both axes are logarithmic: a cost that grows with the size is a straight line upwards, one that
    does not is level."""
    sizes = sorted({size for points in series.values() for size, _ in points})
    times = [time for points in series.values() for _, time in points]
    low, high = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))
    high = max(high, low + 1)
    first, last = math.log10(sizes[0]), math.log10(sizes[-1])
    height = HEIGHT + 18 * len(series)

    def x(size):
        return LEFT + (math.log10(size) - first) / ((last - first) or 1) * (WIDTH - LEFT - RIGHT - 20)

    def y(time):
        return HEIGHT - BOTTOM - (math.log10(time) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = []
    for power in range(low, high + 1):
        at = y(10.0**power)
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{at:.1f}" x2="{WIDTH - RIGHT}" y2="{at:.1f}"/>')
        parts.append(text(LEFT - 8, at + 4, duration(10.0**power), "end"))
    parts += [text(x(size), HEIGHT - BOTTOM + 20, f"{size:,}", "middle") for size in sizes]
    parts.append(text(WIDTH - RIGHT, HEIGHT - BOTTOM + 38, of, "end"))
    for number, (name, points) in enumerate(series.items()):
        path = " ".join(f"{x(size):.1f},{y(time):.1f}" for size, time in points)
        parts.append(f'<g class="s{number % 4}"><polyline class="line" points="{path}"/>')
        parts += [f'<circle class="dot" cx="{x(s):.1f}" cy="{y(t):.1f}" r="3.5"/>' for s, t in points]
        parts.append(text(LEFT, HEIGHT - 6 + 18 * number, f"● {name}", extra=' class="name"') + "</g>")
    return svg(title, parts, height)


def shares(title, figures):
    """A bar for each workload: which share of the possible is reached."""
    found = [(f"{f['name'].rpartition(': ')[0]}, {f['size']} connections", f["value"])
             for f in figures if f["name"].endswith(": share")]  # fmt: skip
    room, parts, scale = 330, [], max(100, *(value for _, value in found))
    for number, (name, value) in enumerate(found):
        top = TOP + 28 * number
        length = value / scale * (WIDTH - room - 70)
        parts.append(text(room - 8, top + 15, name, "end"))
        parts.append(f'<rect class="bar s0" x="{room}" y="{top}" width="{length:.1f}" height="20" rx="2"/>')
        parts.append(text(room + length + 6, top + 15, f"{value:.0f} %"))
    return svg(title, parts, TOP + 28 * len(found) + 8)


def plots(benchmark, figures):
    """The plots of a benchmark, each with its name."""
    if benchmark == "ceiling":
        yield "ceiling", shares("Share of the possible", figures)
    for plot, (source, title, of, begins) in PLOTS.items():
        series = {}
        for figure in figures if source == benchmark else []:
            if figure["name"].startswith(begins) and figure["unit"] in TO_NANOSECONDS:
                time = figure["value"] * TO_NANOSECONDS[figure["unit"]]
                name = figure["name"].removeprefix(begins) if begins.endswith(" ") else figure["name"]
                series.setdefault(name, []).append((figure["size"], time))
        if series:
            yield plot, lines(title, of, series)
