#!/usr/bin/env python3
"""Runs checks in real time, on the kernel at hand, and compares with the simulation.

usage: real_time.py EXCEPTIONS PROGRAM...

Each check of each PROGRAM runs by itself, in the simulation and then with the real clock (PROGRAM --real-time), many at
once, for they only sleep. What fails may have been late on a busy machine: it runs again, at last by itself; what fails
three times is a disagreement between the simulation and the kernel, and what fails less often is named. EXCEPTIONS
lists the checks that cannot hold in real time: "PROGRAM SUITE.NAME reason" in each line, where SUITE.NAME is a pattern
(fnmatch).
"""
import collections
import concurrent.futures
import fnmatch
import json
import os
import pathlib
import subprocess
import sys

AT_ONCE = 48
RUNS_MAX = 3
GIST_MAX = 150
CHECK_MAX_S = 30  # the check's own limits end it much earlier

Check = collections.namedtuple("Check", "program name")


def title(check):
    return f"{os.path.basename(check.program)} {check.name}"


def checks_of(program):
    listed = subprocess.run([program, "--gtest_list_tests"], capture_output=True, text=True, check=True, timeout=60)
    suite = ""
    for line in listed.stdout.splitlines():
        if line.startswith("  "):
            yield Check(program, suite + line.split()[0])
        else:
            suite = line.split()[0]


def run(check):
    try:
        done = subprocess.run([check.program, "--real-time", check.name], capture_output=True, text=True,
                              errors="replace", timeout=CHECK_MAX_S)
        return json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return {"outcome": "broken", "detail": f"no answer within {CHECK_MAX_S} s", "rule": ""}
    except json.JSONDecodeError:
        return {"outcome": "broken", "detail": f"status {done.returncode}: {done.stdout}{done.stderr}", "rule": ""}


def exceptions_in(path):
    lines = [line for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines()
             if line and not line.startswith("#")]
    return [" ".join(line.split()[:2]) for line in lines]


def has_failed(result):
    return result["outcome"] in ("disagrees", "broken")


def may_be_late(result):
    """Has failed, if only for lack of records."""
    return has_failed(result) or (result["outcome"] == "simulation only" and result["lacks"] != "")


def run_all(checks):
    """Returns {check: [result of each run]}."""
    results = {check: [] for check in checks}
    left = checks
    for number in range(1, RUNS_MAX + 1):
        at_once = 1 if number == RUNS_MAX else AT_ONCE
        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            for check, result in zip(left, pool.map(run, left)):
                results[check].append(result)
        fails = may_be_late if number == 1 else has_failed
        left = [check for check in left if fails(results[check][-1])]
    return results


def gist(detail):
    """What a report says, without its title and its timeline, in one line."""
    text = " ".join(detail.partition("\n")[2].partition("\n     time ")[0].partition("The check: ")[0].split())
    return text if len(text) <= GIST_MAX else text[:GIST_MAX] + " ..."


def count(results, key):
    counts = collections.Counter(key(result) for result in results)
    return ", ".join(f"{number} {what}" for what, number in counts.most_common())


def report(checks, excepted, runs):
    results = {check: runs[check][-1] for check in runs}
    simulated = [r for r in results.values() if r["outcome"] == "simulation only"]
    agreeing = [c for c in results if results[c]["outcome"] == "agrees"]
    intermittent = [c for c in agreeing if len(runs[c]) > 1]
    for check in filter(lambda check: has_failed(results[check]), results):
        print(f"- {title(check)}: {results[check]['outcome']}, on {os.uname().sysname} {os.uname().release}"
              f" ({results[check]['rule']})\n{results[check]['detail']}")
    for check in intermittent:
        print(f"- {title(check)}: agreed only in run {len(runs[check])}; run 1: {gist(runs[check][0]['detail'])}")
    for program, number in collections.Counter(check.program for check in checks).items():
        agreed = sum(check.program == program for check in agreeing)
        print(f"{os.path.basename(program)}: {agreed} of {number} checks ran in real time")
    print(f"{len(agreeing)} of {len(checks)} checks ran in real time, and the kernel agrees with the simulation")
    lacking = [results[c] for c in agreeing if results[c]["lacks"]]
    print(f"  without records that they judge, too: {len(lacking)} ({count(lacking, lambda r: r['lacks'])})")
    print(f"  only in run 2 or {RUNS_MAX}: {len(intermittent)}")
    print(f"  simulation only: {len(simulated)} ({count(simulated, lambda r: r['detail'])})")
    print(f"  too long: {sum(r['outcome'] == 'too long' for r in results.values())}")
    print(f"  excepted: {len(excepted)}")
    print(f"  failed: {sum(map(has_failed, results.values()))}")


def main(arguments):
    if len(arguments) < 2:
        sys.exit(__doc__)
    exceptions = exceptions_in(arguments[0])
    checks = [check for program in arguments[1:] for check in checks_of(os.path.abspath(program))]
    excepted = [check for check in checks if any(fnmatch.fnmatchcase(title(check), e) for e in exceptions)]
    stale = [e for e in exceptions if e.split()[0] in map(os.path.basename, arguments[1:])
             and not any(fnmatch.fnmatchcase(title(check), e) for check in checks)]
    runs = run_all([check for check in checks if check not in excepted])
    report(checks, excepted, runs)
    for name in stale:
        print(f"- {arguments[0]} names {name}, and there is no such check")
    return 1 if stale or any(has_failed(results[-1]) for results in runs.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
