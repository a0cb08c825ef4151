#!/usr/bin/env python3
"""Writes down what scripts/performance.sh measured. Only the standard library is needed.

    performance.py collect CRITERION_HOME FILE   criterion's estimates, as a list of figures
    performance.py machine FILE                  what the figures were measured on
    performance.py document RESULTS DOCS         the tables and plots of docs/performance.md

A figure is {"name": …, "size": number or null, "value": …, "unit": …}.
"""

import json
import os
import platform
import re
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import performance_plot

NANOSECONDS = {"ns": 1, "µs": 1e3, "ms": 1e6, "s": 1e9}
# What is counted in a second, where a benchmark says how much one run does.
RATES = {"group_commit": "users a second"}


def collect(home, file):
    """The medians of all benchmarks below a directory, in the order in which they ran."""
    figures = []
    found = sorted(Path(home).glob("**/new/benchmark.json"), key=lambda path: path.stat().st_mtime_ns)
    for path in found:
        benchmark = json.loads(path.read_text())
        median = json.loads(path.with_name("estimates.json").read_text())["median"]["point_estimate"]
        size = benchmark["value_str"]
        name = ": ".join(filter(None, [benchmark["group_id"], benchmark["function_id"]]))
        size = int(size) if size else None
        figures.append({"name": name, "size": size, "value": median, "unit": "ns"})
        elements = (benchmark["throughput"] or {}).get("Elements")
        if elements:
            rate = elements / median * 1e9
            name = f"{benchmark['group_id']}: {RATES[Path(file).stem]}"
            figures.append({"name": name, "size": size, "value": rate, "unit": ""})
    Path(file).write_text(json.dumps(figures, indent=1, ensure_ascii=False))


def output(*command):
    """What a command prints; empty where it cannot be run."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def machine(file):
    """Processor, memory, disk and versions of this machine."""
    processor = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text()).group(1))
    temporary = os.environ.get("TMPDIR", "/tmp")
    facts = {
        "Processor": f"{processor.group(1) if processor else platform.machine()}, {os.cpu_count()} cores",
        "Memory": f"{memory / (1 << 20):.0f} GiB",
        "File system": output("findmnt", "-n", "-o", "FSTYPE", "-T", temporary) or "unknown",
        "System": f"{platform.system()} {platform.release()}",
        "Compiler": output("rustc", "--version"),
        "Commit": output("git", "rev-parse", "--short=12", "HEAD"),
        "Measured": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
    }
    Path(file).write_text(json.dumps(facts, indent=1))


# --- tables ---------------------------------------------------------------------------------------


def digits(value):
    """Three digits that count, in full."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def shown(value, unit):
    """A figure with its unit; times in the unit that suits them."""
    if unit in NANOSECONDS:
        nanoseconds = value * NANOSECONDS[unit]
        for suited, factor in NANOSECONDS.items():
            if nanoseconds < 1e3 * factor or suited == "s":
                return f"{digits(nanoseconds / factor)} {suited}"
    return f"{digits(value)} {unit}".strip()


def table(head, rows, names=1):
    """The first columns are names, the others figures."""
    lines = [head, ["---"] * names + ["---:"] * (len(head) - names), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def by_size(figures, of):
    """A row for each name, a column for each size."""
    sizes = list(dict.fromkeys(figure["size"] for figure in figures))
    names = list(dict.fromkeys(figure["name"] for figure in figures))
    cells = {(f["name"], f["size"]): shown(f["value"], f["unit"]) for f in figures}
    head = [of, *("" if size is None else f"{size:,}" for size in sizes)]
    return table(head, [[name, *(cells.get((name, size), "") for size in sizes)] for name in names])


def by_part(figures, of, parts):
    """A row for each name and size; what stands behind the name's colon is the column."""
    cells = {}
    for figure in figures:
        name, _, part = figure["name"].rpartition(": ")
        row = cells.setdefault((name, figure["size"]), {})
        row[part] = shown(figure["value"], figure["unit"])
    rows = [[name, f"{size:,}", *(row.get(part, "") for part in parts)] for (name, size), row in cells.items()]
    return table([*of, *parts], rows)


def by_group(figures, of):
    """A row for each figure; what stands before the name's colon, with its size, only at its first."""
    rows, last = [], None
    for figure in figures:
        group, _, name = figure["name"].partition(": ")
        group = f"{figure['size']:,} {group}"
        value, unit = figure["value"], figure["unit"]
        count = not unit and value == int(value)
        rows.append(["" if group == last else group, name, f"{value:,.0f}" if count else shown(value, unit)])
        last = group
    return table(of, rows, names=2)


def slowest(figures, count):
    """The slowest of many, and how many they are in all."""
    first = sorted(figures, key=lambda figure: -figure["value"])[:count]
    rows = [[f"`{figure['name']}`", shown(figure["value"], figure["unit"])] for figure in first]
    accounts = f"{figures[0]['size']:,}"
    return f"{len(figures)} lists and pages at {accounts} accounts; the slowest {count}:\n\n" + table(
        ["", "median"], rows
    )


CEILING_PARTS = [
    "possible", "reached", "share", "possible, median", "reached, median", "possible, p99",
    "reached, p99", "possible, processor", "reached, processor",
]  # fmt: skip
TABLES = {
    "ceiling": lambda figures: by_part(figures, ["", "connections"], CEILING_PARTS),
    "lists": lambda figures: slowest(figures, 10),
    "group_commit": lambda figures: by_size(figures, "creates at once"),
    "pages": lambda figures: by_size(figures, "users"),
    "reconcile": lambda figures: by_size(figures, "accounts"),
    "decide_role": lambda figures: by_size(figures, "mappings"),
    "scaling": lambda figures: by_size(figures, "members or users"),
    "large_tenant": lambda figures: by_size(figures, "users"),
    "tenants": lambda figures: by_group(figures, ["of", "what", ""]),
}


def fill(text, part, content):
    """Puts content between the markers of a part, if the text has them."""
    begin, end = f"<!-- performance:{part} -->", f"<!-- /performance:{part} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    return pattern.sub(lambda _: f"{begin}\n{content}\n{end}", text)


def document(results, docs):
    """Fills the tables of docs/performance.md, and draws its plots."""
    page = Path(docs) / "performance.md"
    images = Path(docs) / "images"
    images.mkdir(exist_ok=True)
    text = page.read_text()
    for path in sorted(Path(results).glob("*.json")):
        name, content = path.stem, json.loads(path.read_text())
        if name == "machine":
            text = fill(text, name, table(["", ""], [[key, value] for key, value in content.items()]))
        elif content:
            make = TABLES.get(name, lambda figures: by_size(figures, ""))
            text = fill(text, name, make(content))
            for plot, drawn in performance_plot.plots(name, content):
                (images / f"performance-{plot}.svg").write_text(drawn)
    page.write_text(text)


def main():
    commands = {"collect": collect, "machine": machine, "document": document}
    command, *arguments = sys.argv[1:] or [""]
    if command not in commands:
        sys.exit(__doc__)
    commands[command](*arguments)


if __name__ == "__main__":
    main()
