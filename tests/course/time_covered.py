#!/usr/bin/env python3
"""Measures how much virtual time the checks cover, and in how little real time.

usage: time_covered.py HOURS_MIN LESSON-solution...

Runs each reference solution and adds up what its recordings say. Fails when the sum is below HOURS_MIN.
"""
import json
import os
import subprocess
import sys
import tempfile

NO_CHECKS = 2  # the program's status when a lesson has none yet


def grade(program):
    """Returns (checks, real seconds, virtual seconds)."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "result.json")
        status = subprocess.run([os.path.abspath(program), "--json", path], capture_output=True, timeout=120).returncode
        if status == NO_CHECKS:
            return 0, 0.0, 0.0
        if status != 0:
            sys.exit(f"{program} is no reference solution: status {status}")
        with open(path, encoding="utf-8") as file:
            checks = json.load(file)["checks"]
    return len(checks), sum(c["real_ms"] for c in checks) / 1e3, sum(c["virtual_ns"] for c in checks) / 1e9


def shown(name, checks, real_s, virtual_s):
    return f"{name}: {checks} checks: {real_s:.2f} s of real time, {virtual_s:,.0f} s of virtual time"


def main(arguments):
    if len(arguments) < 2:
        sys.exit(__doc__)
    hours_min, *programs = arguments
    total = (0, 0.0, 0.0)
    for program in programs:
        measured = grade(program)
        total = tuple(map(sum, zip(total, measured)))
        print(shown(os.path.basename(program).removesuffix("-solution"), *measured))
    print(shown("all lessons", *total))
    if total[2] < 3600 * float(hours_min):
        print(f"That is less than {hours_min} h: too little waiting to be worth a simulation.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
