#!/usr/bin/env python3
"""Draws the figures of the lesson pages from recorded runs.

    draw_figures.py [--check] --source . PROGRAM...

A PROGRAM grades a reference solution: NN-name-solution. In lessons/NN-name/README.md the line
<!-- figure: Suite.Name --> names the check whose recording becomes the image of the next line. With
--check nothing is written; exit status 1 when a figure is missing or out of date.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

FIGURE = re.compile(r"^<!-- figure: (\S+) -->\n!\[[^\]]*\]\(([^)]+\.svg)\)", re.M)
RUN_MAX_S = 60


def recording_of(program, check):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "run.json")
        subprocess.run(
            [program, f"--gtest_filter={check}", "--json", path, "--recordings"],
            check=True, capture_output=True, timeout=RUN_MAX_S,
        )
        return json.loads(path.read_text(encoding="utf-8"))["checks"][0]


def drawn(recording):
    drawer = pathlib.Path(__file__).with_name("sequence_svg.py")
    run = subprocess.run(
        [sys.executable, "-B", drawer, "-"], input=json.dumps(recording), text=True,
        check=True, capture_output=True, timeout=RUN_MAX_S,
    )
    return run.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare")
    parser.add_argument("--source", required=True, type=pathlib.Path, help="top folder of the repository")
    parser.add_argument("programs", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    stale = 0
    for program in map(pathlib.Path.resolve, options.programs):
        folder = options.source / "lessons" / program.name.removesuffix("-solution")
        page = folder / "README.md"
        if not page.exists():
            continue
        for check, name in FIGURE.findall(page.read_text(encoding="utf-8")):
            figure = folder / name
            picture = drawn(recording_of(program, check))
            if figure.exists() and figure.read_text(encoding="utf-8") == picture:
                continue
            stale += 1
            print(f"{figure}: {'out of date' if options.check else 'drawn'}")
            if not options.check:
                figure.write_text(picture, encoding="utf-8")
    return 1 if stale and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
