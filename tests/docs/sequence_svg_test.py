#!/usr/bin/env python3
"""Tests of docs/figures/sequence_svg.py, on the recordings in tests/docs/recordings."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = HERE.parents[1] / "docs" / "figures" / "sequence_svg.py"
RECORDINGS = sorted((HERE / "recordings").glob("*.json"))
SVG = "{http://www.w3.org/2000/svg}"

sys.dont_write_bytecode = True
sys.path.insert(0, str(PROGRAM.parent))

import sequence_svg  # noqa: E402

SECOND = 1_000_000_000


def call(start, end, text, result, **more):
    """A call of the program; times in seconds, an end of None: it never returned."""
    end_ns = None if end is None else int(end * SECOND)
    return {
        "side": "program",
        "start_ns": int(start * SECOND),
        "end_ns": end_ns,
        "call": text,
        "result": result,
        "function": text.partition("(")[0],
        "fd": 3,
        "who": "alice",
        **more,
    }


def deed(time, text, function="sends", **more):
    return {
        "side": "peer",
        "start_ns": int(time * SECOND),
        "who": "alice",
        "call": text,
        "function": function,
        **more,
    }


def draw(*entries, verdict="passed"):
    recording = {
        "lesson": "03-x",
        "check": "Recv.WaitsForBytes",
        "verdict": verdict,
        "entries": list(entries),
    }
    return xml.etree.ElementTree.fromstring(sequence_svg.draw(recording))


def texts(svg):
    """Every text of the drawing from top to bottom, as it reads."""
    found = []
    for text in svg.iter(SVG + "text"):
        found.append((int(text.get("y")), int(text.get("x")), "".join(text.itertext())))
    return [words for _, _, words in sorted(found, key=lambda one: one[0])]


def arrows(svg):
    return [
        path.get("class").split()[1]
        for path in svg.iter(SVG + "path")
        if path.get("class").startswith("arrow")
    ]


class EveryRecording(unittest.TestCase):
    def setUp(self):
        self.assertTrue(RECORDINGS)

    def each(self):
        for path in RECORDINGS:
            with self.subTest(path.name):
                recording = json.loads(path.read_text(encoding="utf-8"))
                yield recording, sequence_svg.draw(recording)

    def test_gives_the_same_bytes_twice(self):
        for recording, svg in self.each():
            self.assertEqual(svg, sequence_svg.draw(recording))

    def test_can_be_read_aloud(self):
        for _, svg in self.each():
            root = xml.etree.ElementTree.fromstring(svg)
            self.assertEqual(root.get("role"), "img")
            self.assertGreater(len(root.findtext(SVG + "title")), 10)
            self.assertGreater(len(root.findtext(SVG + "desc")), 20)

    def test_can_stand_twice_in_one_page(self):
        for _, svg in self.each():
            self.assertNotRegex(svg, r'\bid="')
            style = re.search(r"<style>(.*)</style>", svg, re.DOTALL).group(1)
            for rule in re.findall(r"^([^\s@][^{]*)\{", style, re.MULTILINE):
                for selector in rule.split(","):
                    self.assertTrue(selector.strip().startswith(".seq"), selector)

    def test_shares_no_class_with_the_page(self):
        """Doxygen's scripts look for elements of these classes and stumble over SVG."""
        for _, svg in self.each():
            names = set(" ".join(re.findall(r'class="([^"]*)"', svg)).split())
            self.assertFalse(names & {"code", "codeRef", "fragment", "toc", "anchor"})

    def test_follows_light_and_dark(self):
        for _, svg in self.each():
            colors = re.findall(r"(fill|stroke): ([^;]+);", svg)
            for _, value in colors:
                self.assertRegex(value, r"^(var\(--figure-\w+, #[0-9a-f]{6}\)|none)$")
            used = set(re.findall(r"var\((--figure-\w+),", svg))
            dark = set(
                re.findall(r"(--figure-\w+): #", svg.partition("prefers-color-scheme: dark")[2])
            )
            self.assertEqual(used, dark)

    def test_stays_within_its_width_and_its_rows(self):
        for _, svg in self.each():
            root = xml.etree.ElementTree.fromstring(svg)
            height = int(root.get("height"))
            rows = set()
            for text in root.iter(SVG + "text"):
                words = "".join(text.itertext())
                x, y = int(text.get("x")), int(text.get("y"))
                is_call = text.get("class") == "call"
                right = x + len(words) * (7.83 if is_call else 6.9)
                if text.get("class", "").startswith(("time", "label")):
                    continue
                self.assertLess(
                    right, sequence_svg.PROGRAM_X if x < sequence_svg.PROGRAM_X else 724, words
                )
                self.assertLess(y, height)
                rows.add(y)
            self.assertLess(height, 1000)


class WhatIsDrawn(unittest.TestCase):
    def test_a_call_that_does_not_wait_stands_with_its_result(self):
        self.assertIn("send(3, 5) = 3", texts(draw(call(0, 0, "send(3, 5)", "3", bytes=3))))

    def test_a_call_that_waits_returns_after_what_woke_it(self):
        svg = draw(
            call(0, 1, "recv(3, 16)", '5 "hello"', bytes=5), deed(1, 'alice sends "hello"', bytes=5)
        )
        shown = texts(svg)
        self.assertLess(shown.index("recv(3, 16)"), shown.index('alice sends "hello"'))
        self.assertLess(shown.index('alice sends "hello"'), shown.index('= 5 "hello"after 1 s'))
        self.assertEqual(
            len([bar for bar in svg.iter(SVG + "rect") if bar.get("class") == "wait"]), 1
        )

    def test_how_long_a_wait_took_stays_left_of_the_line(self):
        result = "1, read {4}, write {}, except {}"
        shown = texts(draw(call(0, 0.347, "select(6, read {3 4})", result)))
        self.assertEqual(shown[-2:], ["= " + result, "after 347 ms"])

    def test_a_probe_is_left_out_unless_it_fails(self):
        probe, failed = call(0, 0, "fcntl(3, F_GETFD)", "1"), call(0, 0, "fcntl(4, F_GETFD)", "-1 EBADF")
        waiting = call(0, 1, "poll(3)", "1", end_sequence=3)
        shown = texts(draw(probe, waiting, deed(1, "alice sends 1"), probe, failed))
        self.assertIn("fcntl(4, F_GETFD) = -1 EBADF", shown)
        self.assertNotIn("fcntl(3, F_GETFD) = 1", shown)
        self.assertLess(shown.index("alice sends 1"), shown.index("= 1after 1 s"))

    def test_a_deed_after_the_return_stands_below_it(self):
        shown = texts(draw(call(0, 1, "poll(3)", "0"), deed(2, "alice closes (FIN)", "closes")))
        self.assertLess(shown.index("= 0after 1 s"), shown.index("alice closes"))

    def test_the_recorded_order_decides_when_no_time_passes(self):
        entries = call(0, 0, "recv(3, 16)", '1 "x"', end_sequence=2), deed(
            0, 'alice sends "x"', bytes=1
        )
        shown = texts(draw(*entries))
        self.assertLess(shown.index('alice sends "x"'), shown.index('= 1 "x"'))

    def test_how_long_it_took_stands_beside_the_result_or_below_it(self):
        svg = draw(call(0, 1, "poll(3)", "1, ready {3:in}"), call(1, 2, "poll(3)", "1, " + 28 * "x"))
        shown = texts(svg)
        self.assertIn("= 1, ready {3:in}after 1 s", shown)
        self.assertEqual(shown[-2:], ["= 1, " + 28 * "x", "after 1 s"])

    def test_a_call_that_never_returns_says_so(self):
        svg = draw(call(0, None, "recv(3, 16)", ""), verdict="blocked for ever")
        self.assertEqual(texts(svg)[-2:], ["never returns", "Verdict: blocked for ever"])

    def test_a_passed_check_has_no_verdict_line(self):
        self.assertNotIn("Verdict", "".join(texts(draw(call(0, 0, "close(3)", "0")))))

    def test_bytes_cross_as_arrows_with_their_number(self):
        svg = draw(call(0, 0, "send(3, 5)", "3", bytes=3), deed(0, "alice sends 1", bytes=1))
        self.assertEqual(arrows(svg), ["program", "peer"])
        self.assertIn("3 bytes", texts(svg))
        self.assertIn("1 byte", texts(svg))

    def test_what_did_not_cross_has_no_arrow(self):
        svg = draw(
            call(0, 0, "send(3, 5)", "-1 EPIPE", bytes=0),
            call(0, 0, "recv(3, 5)", "2", bytes=2),
            call(0, 0, "write(1, 5)", "5", bytes=5, who=""),
            deed(0, 'alice receives "x"', "receives", bytes=1),
        )
        self.assertEqual(arrows(svg), [])

    def test_endings_are_arrows_too(self):
        svg = draw(
            deed(0, "alice finishes sending (FIN)", "finishes"),
            deed(0, "alice resets (RST)", "resets"),
            call(0, 0, "shutdown(3, SHUT_WR)", "0"),
            deed(0, "alice sees the end (FIN)", "sees the end"),
            call(0, 0, "shutdown(3, SHUT_RD)", "0"),
        )
        self.assertEqual(arrows(svg), ["peer", "stuck", "program"])
        self.assertEqual(texts(svg).count("FIN"), 2)
        self.assertIn("alice finishes sending", texts(svg))

    def test_a_fault_is_drawn_between_the_two(self):
        svg = draw({"side": "fault", "start_ns": 0, "call": "SIGALRM arrives"})
        self.assertIn("SIGALRM arrives", texts(svg))

    def test_a_call_of_a_handler_or_a_thread_says_so(self):
        self.assertIn(
            "handler: write(4, 1) = 1", texts(draw(call(0, 0, "write(4, 1)", "1", by="handler")))
        )

    def test_special_characters_survive(self):
        self.assertIn('alice sends "<&>"', texts(draw(deed(0, 'alice sends "<&>"'))))

    def test_long_texts_are_wrapped_after_a_comma(self):
        shown = texts(draw(call(0, 0, "select(6, read {3 4 5}, write {}, no timeout)", "1")))
        self.assertIn("select(6, read {3 4 5}, write {},", shown)
        self.assertIn("no timeout)", shown)

    def test_times_are_shown_when_they_change(self):
        times = (0, 0, 0.00025, 0.04, 1, 1, 2.5)
        shown = texts(draw(*[deed(time, word) for time, word in zip(times, "abcdefg")]))
        self.assertEqual(
            [one for one in shown if one.endswith("s") and one[0].isdigit()],
            ["0 s", "250 µs", "40 ms", "1 s", "2.5 s"],
        )


class ScenariosAndRuns(unittest.TestCase):
    def test_one_of_each_has_no_mark(self):
        entries = [call(0, 0, f"close({fd})", "0", scenario=1, run=1) for fd in (3, 4)]
        without = [call(0, 0, f"close({fd})", "0") for fd in (3, 4)]
        self.assertEqual(
            sequence_svg.draw({"entries": entries}), sequence_svg.draw({"entries": without})
        )

    def test_a_line_with_the_number_begins_a_scenario_and_time_begins_anew(self):
        entries = [call(2, 2, "close(3)", "0", scenario=1), call(0, 0, "close(4)", "0", scenario=2)]
        self.assertEqual(
            texts(draw(*entries))[2:],
            ["2 s", "close(3) = 0", "scenario 2", "0 s", "close(4) = 0"],
        )

    def test_what_is_too_long_is_left_to_its_first_scenario(self):
        entries = [call(0, 0, "close(3)", "0", scenario=1)]
        for number in range(2, 200):
            entries.append(call(0, 0, f"{chr(97 + number % 26)}{number % 7}()", "0", scenario=number))
        self.assertEqual(texts(draw(*entries))[2:], ["0 s", "close(3) = 0"])

    def test_a_dashed_line_parts_two_runs(self):
        entries = [
            call(0, 0, "bind(3)", "0", scenario=1, run=0),
            call(0, 0, "close(3)", "0", scenario=1, run=1),
            call(0, 0, "close(4)", "0", scenario=1, run=2),
            deed(0, "alice closes", "closes", scenario=1, run=2),
        ]
        svg = draw(*entries)
        dashed = [path for path in svg.iter(SVG + "path") if path.get("stroke-dasharray")]
        self.assertEqual(len(dashed), 1)
        self.assertIn(
            "close(3) = 0. A new run of your program begins. Your", svg.findtext(SVG + "desc")
        )

    def test_runs_that_are_alike_are_folded(self):
        entries = []
        for run in range(1, 51):
            entries += [
                call(0, 0, "socket()", "3", scenario=1, run=run),
                call(0, 0, "close(3)", "0", scenario=1, run=run),
            ]
        svg = draw(*entries)
        self.assertIn("⋮ the same 47 more times", texts(svg))


class Folding(unittest.TestCase):
    def test_leaves_three_alike(self):
        self.assertEqual(
            len(
                [
                    one
                    for one in texts(draw(*[call(0, 0, f"send(3, {n})", "1") for n in range(3)]))
                    if one.startswith("send")
                ]
            ),
            3,
        )

    def test_keeps_the_first_and_the_last_of_many(self):
        shown = texts(draw(*[call(0, 0, f"send(3, {n})", "1", bytes=1) for n in range(100, 0, -1)]))
        self.assertEqual(
            [one for one in shown if "send" in one or "same" in one],
            ["send(3, 100) = 1", "⋮ the same 98 more times, 98 bytes", "send(3, 1) = 1"],
        )

    def test_sees_repeats_of_several_steps(self):
        entries = []
        for n in range(50):
            entries += [
                call(n, n + 1, "recv(3, 1)", '1 "x"', bytes=1),
                deed(n + 1, 'alice sends "x"', bytes=1),
            ]
        shown = texts(draw(*entries))
        self.assertIn("⋮ the same 48 more times, 48 bytes", shown)
        self.assertEqual(shown.count("recv(3, 1)"), 2)

    def test_tells_a_failed_call_from_one_that_worked(self):
        results = ["1"] * 5 + ["-1 EINTR"] + ["1"] * 5
        shown = texts(draw(*[call(0, 0, "send(3, 1)", result) for result in results]))
        self.assertIn("send(3, 1) = -1 EINTR", shown)
        self.assertEqual(len([one for one in shown if "the same 3 more times" in one]), 2)

    def test_cuts_what_is_still_too_long(self):
        names = [f"{a}{b}" for a in "abcdefgh" for b in "abcdefgh"]
        shown = texts(draw(*[call(0, 0, f"{name}()", "0") for name in names]))
        self.assertEqual(len([one for one in shown if "()" in one]), sequence_svg.ROWS_MAX - 1)
        self.assertIn(f"⋮ {64 - 23} more steps", shown)
        self.assertIn("hh() = 0", shown)


class BadInput(unittest.TestCase):
    def test_is_refused_with_its_place(self):
        for entries, says in (
            ([], "nothing was recorded"),
            ([{"side": "kernel", "start_ns": 0}], "entry 0"),
            ([{"side": "peer"}], "start_ns"),
            ([{"side": "peer", "start_ns": -1}], "start_ns"),
        ):
            with self.assertRaisesRegex(sequence_svg.BadRecording, says):
                sequence_svg.draw({"entries": entries})
        with self.assertRaisesRegex(sequence_svg.BadRecording, "entries"):
            sequence_svg.draw([])


class TheProgram(unittest.TestCase):
    def run_with(self, *arguments, **more):
        return subprocess.run(
            [sys.executable, "-B", str(PROGRAM), *map(str, arguments)],
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
            **more,
        )

    def test_writes_compares_and_complains(self):
        with tempfile.TemporaryDirectory() as folder:
            figure = pathlib.Path(folder) / "figure.svg"
            self.assertEqual(self.run_with(RECORDINGS[0], "--check", figure).returncode, 1)
            self.assertEqual(self.run_with(RECORDINGS[0], "--out", figure).returncode, 0)
            self.assertEqual(self.run_with(RECORDINGS[0], "--check", figure).returncode, 0)
            self.assertEqual(
                self.run_with(RECORDINGS[0]).stdout, figure.read_text(encoding="utf-8")
            )
            other = self.run_with(RECORDINGS[1], "--check", figure)
            self.assertEqual((other.returncode, "out of date" in other.stderr), (1, True))

    def test_reads_standard_input_and_refuses_what_is_not_json(self):
        done = self.run_with("-", input="{")
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stderr.startswith("-: "), done.stderr)


if __name__ == "__main__":
    unittest.main()
