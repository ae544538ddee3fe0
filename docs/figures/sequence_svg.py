#!/usr/bin/env python3
"""Draws the recording of one check as a sequence diagram.

    sequence_svg.py recording.json --out send-all.svg
    sequence_svg.py recording.json --check send-all.svg     (exit status 1 when it is out of date)

Time runs downwards. On the left are the calls of your program with their results, on the right the
deeds of the other side; an arrow is something that crosses the network, a shaded bar is a call that
waits. Repeats are folded. The same recording always gives the same bytes.

The picture takes its colours from the CSS variables --figure-*, when it stands in a page that has
them, and else follows the reader's light or dark mode by itself.

A recording is JSON:

    {"lesson": "03-send-and-receive", "check": "SendAll.OffersTheRestAfterAShortSend",
     "verdict": "passed", "entries": [
       {"side": "program", "start_ns": 0, "end_ns": 1000000000, "call": "recv(3, 16)",
        "result": "5 \\"hello\\"", "function": "recv", "fd": 3, "who": "alice", "bytes": 5},
       {"side": "peer", "start_ns": 1000000000, "who": "alice", "call": "alice sends \\"hello\\"",
        "function": "sends", "bytes": 5}]}

"side" is program, peer or fault; an "end_ns" of null means that the call has not returned. "by",
when given, says whose call it is: "handler", or the name of another thread.
"scenario" and "run", when given, are counted from 1: a line across stands between two scenarios,
whose times begin anew, and a dashed one between two runs of the program in the same one.
"end_sequence", when given, is the number of entries that there were when the call returned; without
it a call that waited returns after the last deed that is not later than its end.
"""

import argparse
import json
import pathlib
import re
import sys
from xml.sax.saxutils import escape

# ---- Sizes, in pixels at a width of 720

WIDTH = 720
TIME_RIGHT = 58
CALL_LEFT = 72
PROGRAM_X = 384
PEER_X = 528
DEED_LEFT = 544
MARGIN = 16
HEADING_BASELINE = 34
FIRST_BASELINE = 70
LINE_STEP = 18
ROW_STEP = 28
RUN_STEP = 14
PAUSE = 10  # extra space where time has passed

CALL_COLUMNS = 37  # characters of 13 px monospace between CALL_LEFT and PROGRAM_X
DEED_COLUMNS = 23  # characters of 13 px sans between DEED_LEFT and the right margin
FAULT_COLUMNS = 17

ROWS_MAX = 24
ROWS_KEPT_AT_END = 7
REPEATS_MIN = 4  # a run of this many is folded to its first and last
PERIOD_MAX = 4

NS_PER_S = 1_000_000_000

STYLE = """\
.seq { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
.seq text { fill: var(--figure-ink, #1f2a30); }
.seq .paper { fill: var(--figure-paper, #f8fafa); }
.seq .heading { font-weight: 600; }
.seq .call { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre; }
.seq .soft, .seq .time { fill: var(--figure-soft, #5a6971); }
.seq .time, .seq .label { font-size: 12px; }
.seq .time, .seq .end { text-anchor: end; }
.seq .label { text-anchor: middle; }
.seq .line { stroke: var(--figure-line, #c3ced2); stroke-width: 2; }
.seq .gap { stroke: var(--figure-paper, #f8fafa); stroke-width: 4; stroke-dasharray: 4 4; }
.seq .wait { fill: var(--figure-wait, #f6d58a); }
.seq .program { fill: var(--figure-program, #0f766e); }
.seq .peer { fill: var(--figure-peer, #5546b0); }
.seq .stuck { fill: var(--figure-stuck, #b3261e); }
.seq .fault { fill: var(--figure-fault, #a85b06); }
.seq text.fault, .seq text.stuck, .seq .name { font-weight: 600; }
.seq .arrow { fill: none; stroke-width: 1.6; }
.seq .arrow.program { stroke: var(--figure-program, #0f766e); }
.seq .arrow.peer { stroke: var(--figure-peer, #5546b0); }
.seq .arrow.stuck { stroke: var(--figure-stuck, #b3261e); }
.seq .pill { fill: var(--figure-paper, #f8fafa); stroke: var(--figure-fault, #a85b06); stroke-width: 1.4; }
@media (prefers-color-scheme: dark) {
  svg:root {
    --figure-paper: #171f23; --figure-ink: #d6e0e4; --figure-soft: #93a4ac; --figure-line: #3b494f;
    --figure-program: #5fcfc0; --figure-peer: #b5a9f7; --figure-wait: #6b5119; --figure-fault: #efb35c;
    --figure-stuck: #ff9488;
  }
}
"""


class BadRecording(Exception):
    """The input is not a recording; the text says why."""


# ---- Words


def time_text(nanoseconds):
    """0 s, 250 µs, 40 ms, 1.25 s"""
    if nanoseconds == 0:
        return "0 s"
    for unit, size in (("µs", 1_000), ("ms", 1_000_000)):
        if nanoseconds < size * 1000:
            return f"{nanoseconds / size:.3f}".rstrip("0").rstrip(".") + f" {unit}"
    return f"{nanoseconds / NS_PER_S:.3f}".rstrip("0").rstrip(".") + " s"


def bytes_text(count):
    return "1 byte" if count == 1 else f"{count:,} bytes"


def sentence(check):
    """ "SendAll.OffersTheRestAfterAShortSend" -> "SendAll: offers the rest after a short send\" """
    suite, _, rule = check.partition(".")
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", rule).split()
    words = [word if len(word) > 1 and word.isupper() else word.lower() for word in words]
    return f"{suite}: {' '.join(words)}" if words else check


def wrapped(text, columns):
    """Cuts `text` into lines of at most `columns` characters: after a comma in the second half of a
    line, or after a space, or else inside a word."""
    lines = []
    rest = text
    while len(rest) > columns:
        cut = rest.rfind(", ", columns // 2, columns + 1) + 1 or rest.rfind(" ", 1, columns + 1)
        cut = cut if cut > 0 else columns
        lines.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return lines + [rest]


# ---- What happened: entries, in the order in which they were recorded


class Entry:
    """One entry of the recording; `returned_after` is the index of the last entry before its return."""

    def __init__(self, index, fields):
        self.index = index
        self.side = fields.get("side")
        if self.side not in ("program", "peer", "fault"):
            raise BadRecording(f'entry {index}: "side" is {self.side!r}')
        self.start = fields.get("start_ns")
        if not isinstance(self.start, int) or isinstance(self.start, bool) or self.start < 0:
            raise BadRecording(f'entry {index}: "start_ns" is {self.start!r}')
        self.end = fields.get("end_ns", self.start if self.side != "program" else None)
        if self.end is not None and (not isinstance(self.end, int) or self.end < 0):
            self.end = None
        by = fields.get("by")
        self.call = (f"{by}: " if by else "") + str(fields.get("call") or "")
        self.result = str(fields.get("result") or "")
        self.function = str(fields.get("function") or "")
        self.who = str(fields.get("who") or "")
        self.fd = fields.get("fd")
        self.bytes = fields.get("bytes") or 0
        self.scenario = fields.get("scenario") or 0
        self.run = fields.get("run") or 0
        self.begins = ""  # "scenario", "run": it is the first of a new one
        self.end_sequence = fields.get("end_sequence")
        self.returned_after = index

    def is_waiting(self):
        return self.end is None or self.end > self.start

    def kind(self):
        """Entries of one kind look alike but for numbers and quoted text."""
        shape = re.sub(r'"(\\.|[^"\\])*"?(\.\.\.)?', '""', self.call + "=" + self.result)
        return (
            self.begins,
            self.side,
            self.function,
            self.fd,
            self.who,
            self.is_waiting(),
            re.sub(r"[0-9.,]+", "0", shape),
        )


class Fold:
    """Stands for `entries`, which are `times` repeats of what is drawn before them."""

    def __init__(self, entries, times):
        self.entries = entries
        self.times = times
        self.index = entries[-1].index


def entries_of(recording):
    """All entries but those that only ask whether a descriptor is open, and hear that it is."""
    if not isinstance(recording, dict) or not isinstance(recording.get("entries"), list):
        raise BadRecording('there is no list "entries"')
    entries = [Entry(index, fields) for index, fields in enumerate(recording["entries"])]
    for entry in entries:
        if entry.side == "program":
            entry.returned_after = last_before_return(entry, entries)
    shown = [entry for entry in entries if not is_probe(entry)]
    for before, entry in zip(shown, shown[1:]):
        if entry.scenario != before.scenario:
            entry.begins = "scenario"
        elif entry.run != before.run and before.run > 0:
            entry.begins = "run"
    return shown


def is_probe(entry):
    return entry.side == "program" and "F_GETFD" in entry.call and entry.result[:1].isdigit()


def last_before_return(entry, entries):
    if entry.end is None:
        return len(entries) - 1
    if isinstance(entry.end_sequence, int) and entry.end_sequence > entry.index:
        return min(entry.end_sequence, len(entries)) - 1
    last = entry.index
    if entry.is_waiting():
        for other in entries[entry.index + 1 :]:
            if other.side == "program" or other.start > entry.end:
                break
            last = other.index
    return last


def folded(entries):
    """The entries with every long run of alike ones replaced by its first, a Fold and its last."""
    kinds = [entry.kind() for entry in entries]
    result = []
    at = 0
    while at < len(entries):
        best = (0, 1, 1)  # entries saved, period, repeats
        for period in range(1, PERIOD_MAX + 1):
            block = kinds[at : at + period]
            repeats = 1
            while (
                len(block) == period
                and kinds[at + repeats * period : at + (repeats + 1) * period] == block
            ):
                repeats += 1
            saved = (repeats - 2) * period if repeats >= REPEATS_MIN else 0
            if saved > best[0]:
                best = (saved, period, repeats)
        saved, period, repeats = best
        if not saved:
            result.append(entries[at])
            at += 1
            continue
        result += entries[at : at + period]
        result.append(Fold(entries[at + period : at + period + saved], repeats - 2))
        at += period + saved
        result += entries[at : at + period]
        at += period
    return result


# ---- Rows: what is drawn, from top to bottom


class Row:
    """One line of the diagram. `kind`: call, returns, deed, fault, fold, cut, run or scenario."""

    def __init__(self, kind, time=None, entry=None, lines=(), remark="", arrow=None):
        self.kind = kind
        self.time = time
        self.entry = entry
        self.lines = list(lines)
        self.remark = remark  # soft text behind the last line
        self.arrow = arrow
        self.y = 0

    def height(self):
        if self.kind == "run":
            return RUN_STEP
        return ROW_STEP + LINE_STEP * (max(1, len(self.lines)) - 1)


class Arrow:
    def __init__(self, to_program, label, is_reset=False):
        self.to_program = to_program
        self.label = label
        self.color = "stuck" if is_reset else "peer" if to_program else "program"


HARMLESS = ("none", "passed")  # verdicts that are not worth a line

SIGNS = re.compile(r" \((FIN|RST)\)$")


def arrow_of(entry):
    """What crosses the network when this happens, as far as the recording says."""
    if entry.side == "peer":
        sign = SIGNS.search(entry.call)
        if sign:  # what a peer sees was sent by the program
            return Arrow(not entry.function.startswith("sees"), sign.group(1), sign.group(1) == "RST")
        if entry.function in ("accepts", "refuses"):
            return Arrow(True, "", entry.function == "refuses")
        if entry.function == "sends" and entry.bytes > 0:
            return Arrow(True, bytes_text(entry.bytes))
        return Arrow(True, "") if entry.function == "connects" else None
    if entry.side == "program":
        writes = entry.function.startswith("send") or (
            entry.function.startswith("write") and entry.who
        )
        if writes and entry.bytes > 0:
            return Arrow(False, bytes_text(entry.bytes))
        if entry.function == "connect":
            return Arrow(False, "")
    return None


def call_lines(text):
    first, *rest = wrapped(text, CALL_COLUMNS)
    lines = [first]
    while rest:
        first, *rest = wrapped(" ".join(rest), CALL_COLUMNS - 4)
        lines.append("    " + first)
    return lines


def rows_of_call(entry):
    """The row of a call, and the row of its return when that is a row of its own."""
    if entry.returned_after == entry.index and not entry.is_waiting():
        text = f"{entry.call} = {entry.result}" if entry.result else entry.call
        lines = call_lines(text) if len(text) <= CALL_COLUMNS else call_lines(entry.call)
        if len(text) > CALL_COLUMNS and entry.result:
            lines += ["  " + line for line in wrapped("= " + entry.result, CALL_COLUMNS - 2)]
        return Row("call", entry.start, entry, lines, arrow=arrow_of(entry)), None
    call = Row("call", entry.start, entry, call_lines(entry.call))
    if entry.end is None:
        return call, Row("returns", None, entry, ["  never returns"])
    waited = f"after {time_text(entry.end - entry.start)}" if entry.is_waiting() else ""
    lines = ["  " + line for line in wrapped("= " + (entry.result or "returns"), CALL_COLUMNS - 2)]
    if waited and len(lines[-1]) + 1 + len(waited) > CALL_COLUMNS:
        lines.append("  ")
    if entry.function == "connect":
        call.arrow = arrow_of(entry)
        return call, Row("returns", entry.end, entry, lines, waited)
    return call, Row("returns", entry.end, entry, lines, waited, arrow_of(entry))


def fold_row(fold):
    crossed = sum(entry.bytes for entry in fold.entries if entry.side == "program")
    text = f"⋮ the same {fold.times} more times"
    if crossed:
        text += f", {bytes_text(crossed)}"
    return Row("fold", None, None, [text])


def mark_row(entry):
    lines = [f"scenario {entry.scenario}"] if entry.begins == "scenario" else []
    return Row(entry.begins, None, None, lines)


def rows_of(items):
    rows = []
    waiting = []  # (index after which it returns, row of its return)
    for item in items:
        if not isinstance(item, Fold) and item.begins:
            rows.append(mark_row(item))
        if isinstance(item, Fold):
            rows.append(fold_row(item))
        elif item.side == "program":
            call, returns = rows_of_call(item)
            rows.append(call)
            if returns:
                waiting.append((item.returned_after, returns))
        elif item.side == "peer":
            rows.append(
                Row(
                    "deed",
                    item.start,
                    item,
                    wrapped(SIGNS.sub("", item.call), DEED_COLUMNS),
                    arrow=arrow_of(item),
                )
            )
        else:
            rows.append(Row("fault", item.start, item, wrapped(item.call, FAULT_COLUMNS)))
        while waiting and waiting[-1][0] <= item.index:
            rows.append(waiting.pop()[1])
    rows += [returns for _, returns in reversed(waiting)]
    return rows


def cut_to_size(rows):
    """What is too long is left to its first scenario, and if that is too long, to its ends."""
    if len(rows) <= ROWS_MAX:
        return rows
    rows = rows[:next((i for i, row in enumerate(rows) if row.kind == "scenario"), len(rows))]
    if len(rows) <= ROWS_MAX:
        return rows
    kept_at_start = ROWS_MAX - ROWS_KEPT_AT_END - 1
    left_out = len(rows) - kept_at_start - ROWS_KEPT_AT_END
    cut = Row("cut", None, None, [f"⋮ {left_out} more steps"])
    return rows[:kept_at_start] + [cut] + rows[-ROWS_KEPT_AT_END:]


def place(rows):
    """Gives every row its y and returns the y below the last one."""
    y = FIRST_BASELINE
    time = 0
    for row in rows:
        if row.time is not None and row.time != time:
            y += PAUSE
        if row.kind == "scenario":
            time = None
        row.y = y
        row.shows_time = row.time is not None and (row.time != time or row is rows[0])
        time = row.time if row.time is not None else time
        y += row.height()
    return y


# ---- Drawing


def text(x, y, words, kind):
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(words)}</text>'


def draw_waits(rows, bottom):
    """A bar from every call that waits to its return."""
    drawn = []
    returns_at = {id(row.entry): row for row in rows if row.kind == "returns"}
    call_at = {id(row.entry): row for row in rows if row.kind == "call"}
    gap = next((row for row in rows if row.kind == "cut"), None)
    for key in dict.fromkeys(list(call_at) + list(returns_at)):
        call, returns = call_at.get(key), returns_at.get(key)
        entry = (call or returns).entry
        if not entry.is_waiting() and entry.returned_after == entry.index:
            continue
        if not call and not returns:
            continue
        top = (call or gap).y - 4
        end = (returns or gap).y - 4
        if entry.end is None:
            end = bottom
        drawn.append(
            f'<rect class="wait" x="{PROGRAM_X - 5}" y="{top}" width="10" height="{end - top}" rx="5"/>'
        )
    return drawn


def draw_arrow(row):
    y = row.y - 4
    start, end = (
        (PEER_X - 6, PROGRAM_X + 9) if row.arrow.to_program else (PROGRAM_X + 6, PEER_X - 9)
    )
    head = 6 if row.arrow.to_program else -6
    color = row.arrow.color
    drawn = [
        f'<path class="arrow {color}" d="M{start} {y}H{end + head}"/>',
        f'<path class="{color}" d="M{end} {y}l{head} -4.5v9z"/>',
    ]
    if row.arrow.label:
        drawn.append(text((PROGRAM_X + PEER_X) // 2, y - 6, row.arrow.label, "label soft"))
    return drawn


def draw_code(row, kind="call"):
    drawn = []
    for number, line in enumerate(row.lines):
        indent = len(line) - len(line.lstrip(" "))
        x = round(CALL_LEFT + indent * 7.8)
        y = row.y + number * LINE_STEP
        words = escape(line.lstrip(" "))
        if row.remark and number == len(row.lines) - 1:
            words += f'<tspan class="soft" dx="10" font-style="italic">{escape(row.remark)}</tspan>'
        drawn.append(f'<text class="{kind}" x="{x}" y="{y}">{words}</text>')
    return drawn


def draw_deed(row):
    drawn = [f'<circle class="peer" cx="{PEER_X}" cy="{row.y - 4}" r="4"/>']
    for number, line in enumerate(row.lines):
        words = escape(line)
        if number == 0 and row.entry.who and line.startswith(row.entry.who):
            words = f'<tspan class="peer name">{escape(row.entry.who)}</tspan>{escape(line[len(row.entry.who):])}'
        drawn.append(f'<text x="{DEED_LEFT}" y="{row.y + number * LINE_STEP}">{words}</text>')
    return drawn


def draw_fault(row):
    middle = (PROGRAM_X + PEER_X) // 2
    width = min(PEER_X - PROGRAM_X - 16, 24 + 7 * max(len(line) for line in row.lines))
    height = LINE_STEP * len(row.lines) + 6
    drawn = [
        f'<rect class="pill" x="{middle - width // 2}" y="{row.y - 17}" width="{width}" height="{height}" rx="11"/>'
    ]
    for number, line in enumerate(row.lines):
        drawn.append(text(middle, row.y + number * LINE_STEP, line, "label fault"))
    return drawn


def draw_mark(row):
    if row.kind == "run":
        line = f"M{CALL_LEFT} {row.y - 11}H{PROGRAM_X - 12}"
        return [f'<path class="line" stroke-dasharray="6 5" d="{line}"/>']
    return [
        f'<path class="line" d="M{CALL_LEFT} {row.y - 20}H{WIDTH - MARGIN}"/>',
        text(CALL_LEFT, row.y, row.lines[0], "soft heading"),
    ]


def draw_row(row):
    drawn = []
    if row.shows_time:
        drawn.append(text(TIME_RIGHT, row.y, time_text(row.time), "time"))
    if row.arrow:
        drawn += draw_arrow(row)
    if row.kind == "call":
        drawn.append(f'<circle class="program" cx="{PROGRAM_X}" cy="{row.y - 4}" r="4"/>')
        drawn += draw_code(row)
    elif row.kind == "returns":
        if row.entry.end is not None:
            drawn.append(f'<circle class="program" cx="{PROGRAM_X}" cy="{row.y - 4}" r="4"/>')
        drawn += draw_code(row, "call" if row.entry.end is not None else "stuck")
    elif row.kind == "deed":
        drawn += draw_deed(row)
    elif row.kind == "fault":
        drawn += draw_fault(row)
    elif row.kind in ("run", "scenario"):
        drawn += draw_mark(row)
    else:
        drawn.append(text(CALL_LEFT, row.y, row.lines[0], "soft"))
        for x in (PROGRAM_X, PEER_X):
            drawn.append(f'<path class="gap" d="M{x} {row.y - 14}v20"/>')
    return drawn


def description(rows):
    """The diagram in words, for those who hear it."""
    said = []
    for row in rows:
        words = " ".join(line.strip() for line in row.lines)
        if row.kind == "call":
            words = "Your program: " + words
        elif row.kind == "returns" and row.entry.end is not None:
            words = f"{row.entry.function or 'The call'} returns {row.entry.result}"
        elif row.kind == "returns":
            words = f"{row.entry.function or 'The call'} never returns"
        elif row.kind == "fault":
            words = "Fault: " + words
        elif row.kind == "scenario":
            words = words.capitalize()
        elif row.kind == "run":
            words = "A new run of your program begins"
        if row.shows_time:
            words = f"At {time_text(row.time)}: {words}"
        said.append(words + ".")
    return " ".join(said)


def draw(recording):
    """The SVG of a recording, as text."""
    rows = cut_to_size(rows_of(folded(entries_of(recording))))
    if not rows:
        raise BadRecording("nothing was recorded")
    bottom = place(rows)
    verdict = str(recording.get("verdict") or "none")
    height = bottom + (12 if verdict in HARMLESS else 34)
    line_end = bottom - 4

    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="seq" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img">',
        f"<title>{escape(sentence(str(recording.get('check') or 'A recorded run')))}</title>",
        f"<desc>{escape(description(rows))}</desc>",
        f"<style>\n{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{height}" rx="10"/>',
        text(CALL_LEFT, HEADING_BASELINE, "your program", "heading"),
        text(DEED_LEFT, HEADING_BASELINE, "the other side", "heading"),
        f'<path class="line" d="M{PROGRAM_X} {HEADING_BASELINE + 10}V{line_end}"/>',
        f'<path class="line" d="M{PEER_X} {HEADING_BASELINE + 10}V{line_end}"/>',
    ]
    drawn += draw_waits(rows, line_end)
    for row in rows:
        drawn += draw_row(row)
    if verdict not in HARMLESS:
        drawn.append(text(CALL_LEFT, bottom + 12, f"Verdict: {verdict}", "stuck"))
    drawn.append("</svg>")
    return "\n".join(drawn) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recording", help="JSON file, or - for standard input")
    parser.add_argument("--out", type=pathlib.Path, help="write here (default: standard output)")
    parser.add_argument("--check", type=pathlib.Path, help="only compare with this file")
    options = parser.parse_args()
    try:
        source = (
            sys.stdin.read()
            if options.recording == "-"
            else pathlib.Path(options.recording).read_text(encoding="utf-8")
        )
        svg = draw(json.loads(source))
    except (OSError, ValueError, BadRecording) as error:
        print(f"{options.recording}: {error}", file=sys.stderr)
        return 1
    if options.check:
        current = options.check.read_text(encoding="utf-8") if options.check.is_file() else None
        if current != svg:
            print(f"{options.check}: {'out of date' if current else 'missing'}", file=sys.stderr)
            return 1
    elif options.out:
        options.out.write_text(svg, encoding="utf-8")
    else:
        sys.stdout.write(svg)
    return 0


if __name__ == "__main__":
    sys.exit(main())
