#!/usr/bin/env python3
"""Writes docs/how-fast-is-select.md and its plot from the recording.

    speed_page.py [--check [--measure PROGRAM NAME=COMMAND...]] --source .

The recording is tests/benchmark/recording.jsonl, made by `ninja record-speed`. The figures of the
page stand between comments <!-- NAME: begin --> and <!-- NAME: end -->; the rest is written by
hand. With --check nothing is written; exit status 1 when page or plot differ from the recording.
--measure also lets PROGRAM measure the servers in a second, and looks whether it has measured.
"""

import argparse
import json
import math
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

PAGE = "docs/how-fast-is-select.md"
PLOT = "docs/how-fast-is-select.svg"
RECORDING = "tests/benchmark/recording.jsonl"
TINY_MAX_S = 60

NAMES = {
    "echo": "echo server",
    "loop": "on the loop",
    "bare": "bare select",
    "threads": "a thread each",
    "python": "Python",
}


class Recording:
    """What was measured: one row for each server and load, and the machine."""

    def __init__(self, path):
        lines = path.read_text(encoding="utf-8").splitlines()
        self.machine = json.loads(lines[0])
        self.rows = [json.loads(line) for line in lines[1:]]
        self.servers = [name for name in NAMES if any(row["server"] == name for row in self.rows)]

    def row(self, server, load):
        return next(r for r in self.rows if r["server"] == server and load_of(r) == load)

    def cpu_us(self, server, load):
        return statistics.median(self.row(server, load)["cpu_us"])

    def ratio(self, server, other, load):
        """Of the processor time of two servers: the median over the rounds, each of which had both."""
        pairs = zip(self.row(server, load)["cpu_us"], self.row(other, load)["cpu_us"])
        return statistics.median(a / b for a, b in pairs)

    def loads(self, kind):
        """The loads (connections, talking, in flight) of a panel, in order."""
        return list(dict.fromkeys(load for load in map(load_of, self.rows) if kind(load)))


def load_of(row):
    return row["connections"], row["talking"], row["in_flight"]


def one_in_flight(load):
    return load[0] == load[1] and load[2] == 1


def many_in_flight(load):
    return load[0] == load[1] and load[2] > 1


def mostly_silent(load):
    return load[1] == 1 and load[2] == 1


def all_talk(load):
    return load[0] == load[1]


def number(value):
    """Three figures, and a comma for thousands."""
    if value >= 100:
        return f"{round(value, -2 if value >= 10_000 else 0):,.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


# ---- The tables


def cost_table(recording):
    servers = recording.servers
    lines = [
        "| Connections | In flight | " + " | ".join(NAMES[name] for name in servers) + " |",
        "| --- | --- |" + " --- |" * len(servers),
    ]
    for load in recording.loads(lambda load: True):
        connections, talking, in_flight = load
        who = f"{connections:,}" + ("" if talking == connections else f", {connections - talking:,} silent")
        cells = [number(recording.cpu_us(name, load)) for name in servers]
        lines.append(f"| {who} | {in_flight} | " + " | ".join(cells) + " |")
    return lines


def service_table(recording):
    lines = [
        "| Connections | In flight | Server | Messages a second | Half of them within | 99 % within |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for load in recording.loads(all_talk):
        for name in recording.servers:
            row = recording.row(name, load)
            lines.append(
                f"| {load[0]:,} | {load[2]} | {NAMES[name]} | {number(row['messages_per_s'])} "
                f"| {number(row['p50_us'])} µs | {number(row['p99_us'])} µs |"
            )
    return lines


def goal(text, limit, values):
    """A row of the goals' table: `values` by load, each to be no more than `limit`."""
    met = sum(value <= limit for value in values)
    span = number(min(values)) if len(values) == 1 else f"{number(min(values))} to {number(max(values))}"
    verdict = "yes" if met == len(values) else f"at {met} of {len(values)}" if met else "no"
    return f"| {text} | {limit:.2f} | {span} | {verdict} |"


def growth(recording, server):
    """What 950 more silent connections cost a turn, in microseconds."""
    loads = recording.loads(mostly_silent)
    return recording.cpu_us(server, loads[-1]) - recording.cpu_us(server, loads[0])


def goals_table(recording):
    talking, single = recording.loads(all_talk), recording.loads(one_in_flight)
    lines = ["| Goal | At most | Measured | Met |", "| --- | --- | --- | --- |"]
    for name, limit in (("echo", 1.10), ("loop", 1.15)):
        if name in recording.servers:
            ratios = [recording.ratio(name, "bare", load) for load in talking]
            lines.append(goal(f"{NAMES[name]}: processor time, in those of bare select", limit, ratios))
    ratios = [recording.ratio("echo", "python", load) for load in single]
    lines.append(goal("echo server: in those of Python, one message in flight", 0.75, ratios))
    ratios = [recording.ratio("bare", "python", load) for load in single]
    lines.append(goal("(bare select: in those of Python)", 0.75, ratios))
    calls = [recording.row("echo", load)["calls"] for load in talking]
    lines.append(goal("echo server: system calls a message, besides select", 2.0, [round(c, 2) for c in calls]))
    waits = [recording.row("echo", load)["waits"] for load in talking]
    lines.append(goal("echo server: calls of select a message", 1.0, [round(w, 2) for w in waits]))
    grown = growth(recording, "echo") / growth(recording, "bare")
    lines.append(goal("echo server: what silent connections cost, in that of bare select", 1.10, [grown]))
    return lines


def machine_line(recording):
    machine = recording.machine
    rounds = len(recording.rows[0]["cpu_us"])
    return [
        f"{machine['processors']} processors ({machine['processor']}), {machine['system']}; "
        f"{rounds} rounds, message of 64 bytes, loopback."
    ]


TABLES = {
    "cost": cost_table,
    "goals": goals_table,
    "service": service_table,
    "machine": machine_line,
}


def page_with(text, recording):
    """The page with every table filled in."""
    for name, table in TABLES.items():
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        if begin not in text or end not in text:
            raise ValueError(f"{PAGE} has no place for {name}")
        body = "\n" + "\n".join(table(recording)) + "\n\n"
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.S)
        text = pattern.sub(lambda _: begin + body + end, text)
    return text


# ---- The plot

STYLE = """\
.plot { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
.plot text { fill: var(--figure-ink, #1f2a30); }
.plot .paper { fill: var(--figure-paper, #f8fafa); }
.plot .title { font-weight: 600; }
.plot .soft { fill: var(--figure-soft, #5a6971); font-size: 12px; }
.plot .axis { stroke: var(--figure-line, #c3ced2); fill: none; }
.plot .curve { fill: none; stroke-width: 2; }
.plot .echo { stroke: var(--figure-program, #0f766e); stroke-width: 3; }
.plot .loop { stroke: var(--figure-stuck, #b3261e); }
.plot .bare { stroke: var(--figure-ink, #1f2a30); stroke-dasharray: 5 4; }
.plot .threads { stroke: var(--figure-peer, #5546b0); }
.plot .python { stroke: var(--figure-fault, #a85b06); }
@media (prefers-color-scheme: dark) {
  svg:root {
    --figure-paper: #171f23; --figure-ink: #d6e0e4; --figure-soft: #93a4ac; --figure-line: #3b494f;
    --figure-program: #5fcfc0; --figure-peer: #b5a9f7; --figure-fault: #efb35c; --figure-stuck: #ff9488;
  }
}
"""
WIDTH, HEIGHT = 720, 330
# Title, loads, the numbers at the axis, and whether that is logarithmic: when all talk, it is the first few that matter.
PANELS = (
    ("1 message in flight", one_in_flight, (1, 50, 1000), True),
    ("16 messages in flight", many_in_flight, (1, 50, 1000), True),
    ("one talks, others silent", mostly_silent, (1, 500, 1000), False),
)
PANEL_LEFT, PANEL_WIDTH, PANEL_STEP = 46, 176, 232
PANEL_TOP, PANEL_BOTTOM = 96, 270


def ceiling(value):
    """The next round number."""
    scale = 10.0 ** math.floor(math.log10(value))
    return next(m * scale for m in (1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10) if m * scale >= value)


def panel(recording, index, title, kind, ticks, is_logarithmic):
    left = PANEL_LEFT + index * PANEL_STEP
    loads = recording.loads(kind)
    top_us = ceiling(max(recording.cpu_us(name, load) for name in recording.servers for load in loads))
    most = max(2, *(load[0] for load in loads))

    def x(connections):
        part = math.log(connections) / math.log(most) if is_logarithmic else connections / most
        return left + PANEL_WIDTH * part

    def y(value):
        return PANEL_BOTTOM - (PANEL_BOTTOM - PANEL_TOP) * value / top_us

    parts = [f'<text class="title" x="{left}" y="{PANEL_TOP - 20}">{title}</text>']
    for value in (0, top_us / 2, top_us):
        parts.append(f'<path class="axis" d="M{left} {y(value):.1f}h{PANEL_WIDTH}"/>')
        parts.append(
            f'<text class="soft" text-anchor="end" x="{left - 6}" y="{y(value) + 4:.1f}">{value:g}</text>'
        )
    for connections in ticks:
        parts.append(
            f'<text class="soft" text-anchor="middle" x="{x(connections):.1f}" '
            f'y="{PANEL_BOTTOM + 18}">{connections:,}</text>'
        )
    for name in reversed(recording.servers):
        points = " ".join(f"{x(load[0]):.1f},{y(recording.cpu_us(name, load)):.1f}" for load in loads)
        parts.append(f'<polyline class="curve {name}" points="{points}"/>')
    return parts


def plot(recording):
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img">',
        "<title>Processor time of a server per message</title>",
        "<desc>" + described(recording) + "</desc>",
        f"<style>\n{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}" rx="10"/>',
        f'<text class="soft" x="{PANEL_LEFT}" y="{HEIGHT - 16}">'
        "Microseconds of the server's processor time per message, over the number of connections</text>",
    ]
    for index, name in enumerate(recording.servers):
        left = PANEL_LEFT + index * 136
        parts.append(f'<path class="curve {name}" d="M{left} 32h26"/>')
        parts.append(f'<text x="{left + 34}" y="36">{NAMES[name]}</text>')
    for index, one in enumerate(PANELS):
        parts += panel(recording, index, *one)
    return "\n".join(parts + ["</svg>", ""])


def described(recording):
    sentences = []
    for title, kind, *_ in PANELS:
        for name in recording.servers:
            values = ", ".join(
                f"{number(recording.cpu_us(name, load))} at {load[0]:,}" for load in recording.loads(kind)
            )
            sentences.append(f"{title}, {NAMES[name]}: {values}.")
    return " ".join(sentences)


# ---- Checks


def differences(source, write):
    """Which of page and plot differ from the recording; writes them when told to."""
    recording = Recording(source / RECORDING)
    page = source / PAGE
    wanted = {page: page_with(page.read_text(encoding="utf-8"), recording), source / PLOT: plot(recording)}
    stale = []
    for path, text in wanted.items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path)
        if write:
            path.write_text(text, encoding="utf-8")
    return stale


def measures(command):
    """Whether the measuring program measures, and what it has measured can be written and drawn."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "tiny.jsonl")
        run = subprocess.run(
            [command[0], "--tiny", "--out", out, *command[1:]],
            capture_output=True, text=True, timeout=TINY_MAX_S, check=False,
        )
        if run.returncode != 0:
            print(run.stdout + run.stderr, end="")
            return run.returncode
        recording = Recording(out)
    for row in recording.rows:
        if min(row["cpu_us"]) <= 0 or row["calls"] <= 0 or row["p50_us"] > row["p99_us"]:
            print(f"nonsense: {row}")
            return 1
    cost_table(recording), service_table(recording), plot(recording)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare")
    parser.add_argument("--source", required=True, type=pathlib.Path, help="top folder of the repository")
    parser.add_argument("--measure", nargs="+", default=[], metavar="COMMAND", help="let this measure")
    options = parser.parse_args()
    stale = differences(options.source, write=not options.check)
    for path in stale:
        print(f"{path}: {'out of date; `ninja draw-speed`' if options.check else 'written'}")
    if stale and options.check:
        return 1
    return measures(options.measure) if options.measure else 0


if __name__ == "__main__":
    sys.exit(main())
