#!/usr/bin/env python3
"""Walks through the course as a learner would, in a clone that may be thrown away afterwards.

    learner_walk.py CLONE

Sets up, where nobody has, and grades the stubs (nothing is a failure), then for every lesson a
wrong solution and the right one, by all the ways that the README names; then code that does not
compile, a changed signature, a lesson that does not exist. Prints one line a step and the times that were measured.
Exit status 1 when a step does not go as the README says.
"""

import pathlib
import re
import statistics
import subprocess
import sys
import time

STEP_MAX_S = 300


class Walk:
    def __init__(self, clone):
        self.clone = clone
        self.passed = self.failed = 0
        self.times = {}

    def run(self, command, what=None):
        started = time.monotonic()
        run = subprocess.run(
            command, cwd=self.clone, shell=isinstance(command, str), timeout=STEP_MAX_S,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )
        if what:
            self.times.setdefault(what, []).append(time.monotonic() - started)
        return run.returncode, run.stdout

    def expect(self, what, holds, output=""):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
        print(f"{'ok  ' if holds else 'FAIL'} {what}", flush=True)
        if not holds:
            print(output[-3000:], flush=True)

    def lessons(self):
        return sorted(p.name for p in (self.clone / "lessons").glob("[0-9][0-9]-*"))


def solution_of(clone, lesson):
    return next((clone / "solutions" / lesson).glob("*.cpp"))


def header_of(patch):
    return dict(re.findall(r"^(Check|Says): *(.*?) *$", patch.read_text(encoding="utf-8"), re.M))


def first_minutes(walk):
    if not (walk.clone / "build").exists():
        code, output = walk.run(["meson", "setup", "build"], "meson setup")
        walk.expect("meson setup", code == 0, output)
    code, output = walk.run(["meson", "test", "-C", "build"], "meson test of the stubs")
    walk.expect("a fresh clone's meson test ends with status 0", code == 0, output)
    for lesson in walk.lessons():
        walk.expect(f"{lesson} is not started", re.search(rf"{lesson} +SKIP", output) is not None, output)
    walk.expect("it says what to read first", f"Next: lessons/{walk.lessons()[0]}/README.md" in output, output)


def one_lesson(walk, lesson):
    stub = walk.clone / "lessons" / lesson / solution_of(walk.clone, lesson).name
    original = stub.read_text(encoding="utf-8")
    patch = sorted((walk.clone / "tests" / lesson / "mistakes").glob("*.patch"))[0]
    head = header_of(patch)
    subprocess.run(["patch", "--quiet", "--fuzz=0", f"--output={stub}", str(solution_of(walk.clone, lesson)), str(patch)],
                   check=True, timeout=STEP_MAX_S)
    code, output = walk.run(["meson", "test", "-C", "build", lesson], "meson test NAME after an edit")
    walk.expect(f"{lesson}, wrong ({patch.stem}): fails", code != 0 and "FAIL" in output, output)
    code, report = walk.run([f"build/lesson-{lesson}", "--reports"])
    walk.expect(f"{lesson}, wrong: the report says what is wrong",
                head["Says"] in " ".join(report.split()), report)
    walk.expect(f"{lesson}, wrong: Meson shows the first report without a flag",
                ("The rule: " in output and "Why it matters: " in output) or "The check was about: " in output, output)
    walk.expect(f"{lesson}, wrong: no line of a report is over 80 columns",
                all(len(line) <= 80 for line in report.splitlines()), report)
    stub.write_text(solution_of(walk.clone, lesson).read_text(encoding="utf-8"), encoding="utf-8")
    code, output = walk.run(["ninja", "-C", "build", f"check-{lesson}"], "ninja check-NAME after an edit")
    walk.expect(f"{lesson}, right: passes by ninja", code == 0, output)
    code, output = walk.run(["meson", "test", "-C", "build", lesson])
    walk.expect(f"{lesson}, right: passes by meson", code == 0 and re.search(rf"{lesson} +OK", output), output)
    code, output = walk.run(["build/grade", lesson[:2]])
    walk.expect(f"{lesson}, right: passes by grade", code == 0 and ("Next: " in output or "All lessons are passed" in output), output)
    stub.write_text(original, encoding="utf-8")


def bad_input(walk):
    first, second, third = walk.lessons()[:3]
    code, output = walk.run(["build/grade", "04-mesages"])
    walk.expect("a wrong name is refused with the list of lessons",
                code == 2 and all(lesson in output for lesson in walk.lessons()), output)
    code, output = walk.run(["ninja", "-C", "build", f"check-{first[:-1]}"])
    walk.expect("ninja suggests the right name", code != 0 and f"check-{first}" in output, output)

    broken = walk.clone / "lessons" / first / solution_of(walk.clone, first).name
    original = broken.read_text(encoding="utf-8")
    broken.write_text(original + "\nthis is not C++\n", encoding="utf-8")
    right = walk.clone / "lessons" / third / solution_of(walk.clone, third).name
    stub = right.read_text(encoding="utf-8")
    right.write_text(solution_of(walk.clone, third).read_text(encoding="utf-8"), encoding="utf-8")
    code, output = walk.run(["meson", "test", "-C", "build"])
    walk.expect("a lesson that does not compile fails by itself",
                code != 0 and re.search(rf"{first} +FAIL", output) and "does not build yet" in output, output)
    walk.expect("the others are graded",
                re.search(rf"{second} +SKIP", output) and re.search(rf"{third} +OK", output), output)
    broken.write_text(original, encoding="utf-8")

    changed = stub.replace("(int", "(long", 1)
    right.write_text(changed, encoding="utf-8")
    code, output = walk.run(["build/grade", third])
    walk.expect("a changed signature points at the contract",
                code != 0 and right.with_suffix(".hpp").name in output and "contract" in output, output)
    right.write_text(stub, encoding="utf-8")


def try_programs(walk):
    names = sorted(p.stem for p in (walk.clone / "lessons").glob("*/try_*.cpp"))
    code, output = walk.run(["ninja", "-C", "build", *names])
    walk.expect(f"{len(names)} programs to try by hand are built, without a warning",
                code == 0 and "warning:" not in output, output)
    for name in names:
        code, output = walk.run([f"build/{name}", "--help"])
        walk.expect(f"{name} --help", code == 0 and "sage" in output, output)


def main(clone):
    walk = Walk(pathlib.Path(clone).absolute())
    first_minutes(walk)
    for lesson in walk.lessons():
        one_lesson(walk, lesson)
    bad_input(walk)
    try_programs(walk)
    print("\nseconds of real time, which no grade depends on:")
    for what, times in walk.times.items():
        print(f"  {statistics.median(times):6.2f}  {what} (median of {len(times)}, most {max(times):.2f})")
    print(f"\n{walk.passed} passed, {walk.failed} failed")
    return 1 if walk.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
