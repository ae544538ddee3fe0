#!/usr/bin/env python3
"""Proves a lesson's grader in both directions.

usage: prove.py [--update] LESSON SOURCE_ROOT STUB_PROGRAM PROGRAM...

PROGRAM is LESSON-solution, LESSON-style-NAME or LESSON-mistake-NAME. Holds that
 - the stub is not started, in every check;
 - the solution and every style pass every check;
 - every mistake fails the check it names, with the words it promises and the golden report beside its patch;
 - every check is failed by at least one mistake that no other check notices.
With --update the golden reports are written instead of compared.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

RUN_MAX_S = 120


def grade(program):
    """Runs a grading program; returns {check: its part of the JSON}."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "result.json")
        run = subprocess.run([program, "--json", path], capture_output=True, timeout=RUN_MAX_S)
        if run.returncode not in (0, 1, 77):
            sys.exit(f"{program} ended with {run.returncode}:\n{run.stdout.decode(errors='replace')}")
        with open(path, encoding="utf-8") as file:
            checks = json.load(file)["checks"]
    return {check["check"]: check for check in checks}


def header_of(patch):
    head = patch.read_text(encoding="utf-8").split("\n--- ", 1)[0]
    return dict(re.findall(r"^(Mistake|Check|Says): *(.*?) *$", head, re.M))


def in_one_line(text):
    return " ".join(text.split())


class Proof:
    def __init__(self, lesson, source_root, update):
        self.lesson = lesson
        self.folder = pathlib.Path(source_root) / "tests" / lesson / "mistakes"
        self.update = update
        self.faults = []
        self.only_killer = {}  # check -> mistakes that only it notices

    def fault(self, text):
        self.faults.append(text)

    def stub(self, checks):
        for name, check in checks.items():
            if check["state"] != "not started":
                self.fault(f"the stub is '{check['state']}' in {name}, not 'not started'")

    def right(self, name, checks):
        for check_name, check in checks.items():
            if check["state"] != "passed":
                self.fault(f"{name} is right, but {check_name} is {check['state']}:\n{check['report']}")

    def mistake(self, name, checks):
        head = header_of(self.folder / f"{name}.patch")
        failed = [c for c in checks if checks[c]["state"] != "passed"]
        wanted = head.get("Check", "")
        for check in failed:
            if checks[check]["state"] in ("infrastructure", "not started"):
                self.fault(f"{name}: {check} is {checks[check]['state']}:\n{checks[check]['report']}")
        if wanted not in checks:
            return self.fault(f"{name}: there is no check {wanted}")
        if wanted not in failed:
            return self.fault(f"{name} is not noticed by {wanted}; failed: {', '.join(failed) or 'nothing'}")
        if len(failed) == 1:
            self.only_killer.setdefault(wanted, []).append(name)
        report = checks[wanted]["report"]
        if not head.get("Says") or head["Says"] not in in_one_line(report):
            self.fault(f"{name}: the report of {wanted} never says \"{head.get('Says')}\":\n{report}")
        self.golden(name, report)

    def golden(self, name, report):
        path = self.folder / f"{name}.report"
        if self.update:
            path.write_text(report, encoding="utf-8")
        elif not path.exists():
            self.fault(f"{name}: {path.name} is missing; write it with --update")
        elif path.read_text(encoding="utf-8") != report:
            self.fault(f"{name}: the report has changed (--update writes it):\n{report}")

    def every_check_is_needed(self, checks):
        for check in checks:
            if check not in self.only_killer:
                self.fault(f"{check}: no mistake is noticed by this check alone")


def main(arguments):
    update = "--update" in arguments or os.environ.get("UPDATE_REPORTS") == "1"
    lesson, source_root, stub, *programs = [a for a in arguments if a != "--update"]
    proof = Proof(lesson, source_root, update)
    names = [os.path.basename(p)[len(lesson) + 1:] for p in programs]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        graded = dict(zip(names, pool.map(grade, programs)))
    if stub != "-":
        proof.stub(grade(stub))
    mistakes = 0
    for name, checks in graded.items():
        if name.startswith("mistake-"):
            mistakes += 1
            proof.mistake(name[len("mistake-"):], checks)
        else:
            proof.right(name, checks)
    proof.every_check_is_needed(graded["solution"])
    for fault in proof.faults:
        print(f"- {fault}")
    print(f"{lesson}: {len(graded['solution'])} checks, {len(names) - mistakes} right solutions, "
          f"{mistakes} mistakes, {len(proof.faults)} faults")
    return 1 if proof.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
