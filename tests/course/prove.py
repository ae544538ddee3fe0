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
NO_VERDICTS = ("infrastructure", "not started")


def grade(program, check=None):
    """Runs a grading program, whole or one check of it; returns {check: its part of the JSON}."""
    chosen = [f"--gtest_filter={check}"] if check else []
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "result.json")
        run = subprocess.run([program, "--json", path, *chosen], capture_output=True, timeout=RUN_MAX_S)
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

    def mistake(self, name, program):
        """Holds that the check that it names notices it, and says so."""
        head = self.head(name)
        wanted = head["Check"]
        check = grade(program, wanted)[wanted]
        if check["state"] == "passed":
            failed = self.failed(name, grade(program))
            return self.fault(f"{name} is not noticed by {wanted}; failed: {', '.join(failed) or 'nothing'}")
        if check["state"] in NO_VERDICTS:
            return self.fault(f"{name}: {wanted} is {check['state']}:\n{check['report']}")
        report = check["report"]
        if not head.get("Says") or head["Says"] not in in_one_line(report):
            self.fault(f"{name}: the report of {wanted} never says \"{head.get('Says')}\":\n{report}")
        self.golden(name, report)

    def failed(self, name, checks):
        for check in checks.values():
            if check["state"] in NO_VERDICTS:
                self.fault(f"{name}: {check['check']} is {check['state']}:\n{check['report']}")
        return [check for check in checks if checks[check]["state"] != "passed"]

    def is_needed(self, check, mistakes):
        """Holds that one of the mistakes that name the check is noticed by no other."""
        for name, program in mistakes.items():
            if self.head(name).get("Check") == check and self.failed(name, grade(program)) == [check]:
                return
        self.fault(f"{check}: no mistake is noticed by this check alone")

    def head(self, name):
        return header_of(self.folder / f"{name}.patch")

    def golden(self, name, report):
        path = self.folder / f"{name}.report"
        if self.update:
            path.write_text(report, encoding="utf-8")
        elif not path.exists():
            self.fault(f"{name}: {path.name} is missing; write it with --update")
        elif path.read_text(encoding="utf-8") != report:
            self.fault(f"{name}: the report has changed (--update writes it):\n{report}")


def main(arguments):
    update = "--update" in arguments or os.environ.get("UPDATE_REPORTS") == "1"
    lesson, source_root, stub, *programs = [a for a in arguments if a != "--update"]
    proof = Proof(lesson, source_root, update)
    names = [os.path.basename(p)[len(lesson) + 1:] for p in programs]
    right, mistakes = {}, {}
    for name, program in zip(names, programs):
        if name.startswith("mistake-"):
            mistakes[name[len("mistake-"):]] = program
        else:
            right[name] = program
    if stub != "-":
        proof.stub(grade(stub))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        graded = dict(zip(right, pool.map(grade, right.values())))
        for name, checks in graded.items():
            proof.right(name, checks)
        checks = graded["solution"]
        for name in [name for name in mistakes if proof.head(name).get("Check") not in checks]:
            proof.fault(f"{name}: there is no check {proof.head(name).get('Check')}")
            del mistakes[name]
        list(pool.map(proof.mistake, mistakes.keys(), mistakes.values()))
        list(pool.map(lambda check: proof.is_needed(check, mistakes), checks))
    for fault in proof.faults:
        print(f"- {fault}")
    print(f"{lesson}: {len(checks)} checks, {len(right)} right solutions, "
          f"{len(mistakes)} mistakes, {len(proof.faults)} faults")
    return 1 if proof.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
