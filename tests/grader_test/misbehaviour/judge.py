#!/usr/bin/env python3
"""Holds that the grader says the right thing about every misbehaving program.

usage: judge.py [--sanitized | --unoptimized] [--reports] PROGRAM SOURCE...

Runs PROGRAM, whose checks are the MISBEHAVIOURs in the SOURCEs, and holds for each of them
 - the state, the verdict and the words that the comment above it promises (see misbehaviour.hpp),
 - that they were given within 3 s of real time (longer when the machine is overloaded),
 - that the ordinary check after it passed;
and at the end that no process and no socket is left. With --reports every report is printed.
"""
import ctypes
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

PR_SET_CHILD_SUBREAPER = 36
REAL_TIME_MAX_MS = 3000
RUN_MAX_S = 240
LEFT_OVER_MAX_S = 5
TCP_TIME_WAIT = 6

PROMISE = re.compile(r"^((?://[^\n]*\n)+)MISBEHAVIOUR\((\w+), (\w+)\)", re.M)
FIELD = re.compile(r"^// (Gives|Says|\w+ized|\w+ized says): (.*)$", re.M)


def promises_in(sources, build):
    """{check: (state, verdict, words)}; None instead of a promise that does not hold here."""
    promises = {}
    for source in sources:
        text = pathlib.Path(source).read_text(encoding="utf-8")
        found = PROMISE.findall(text)
        if len(found) != len(re.findall(r"^MISBEHAVIOUR\(", text, re.M)):
            sys.exit(f"{source}: a MISBEHAVIOUR has no comment that says what it gives")
        for comment, suite, name in found:
            fields = dict(FIELD.findall(comment))
            gives = fields.get(build, fields["Gives"])
            says = fields.get(f"{build} says", fields.get("Says", ""))
            promise = None if gives == "skipped" else (*gives.split(", "), says)
            promises[f"{suite}.{name}"] = promise
    return promises


def run(program, checks):
    """Runs the program, without the misbehaviours that are skipped; returns {check: its part of the JSON}."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "result.json")
        skipped = [check for check, promise in checks.items() if promise is None]
        subprocess.run([program, "--json", path], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, timeout=RUN_MAX_S, check=False,
                       env=os.environ | {"GRADER_TEST_SKIP": " ".join(skipped)})
        with open(path, encoding="utf-8") as file:
            return {check["check"]: check for check in json.load(file)["checks"]}


def in_one_line(text):
    return " ".join(text.split())


def real_time_max_ms():
    return REAL_TIME_MAX_MS * max(1.0, 2 * os.getloadavg()[0] / os.cpu_count())


def faults_of(check, promise, result, next_result):
    if result is None:
        return [f"{check} was not run"]
    state, verdict, words = promise
    faults = []
    if (result["state"], result["verdict"]) != (state, verdict):
        faults.append(f"{check} gives {result['state']}, {result['verdict']}; "
                      f"not {state}, {verdict}:\n{result['report']}")
    elif in_one_line(words) not in in_one_line(result["report"]):
        faults.append(f"{check} never says \"{words}\":\n{result['report']}")
    if result["real_ms"] > real_time_max_ms():
        faults.append(f"{check} took {result['real_ms']:.0f} ms")
    if next_result is None or next_result["state"] != "passed":
        faults.append(f"the ordinary check after {check} did not pass:\n"
                      f"{next_result and next_result['report']}")
    return faults


def left_over_processes(program):
    """Processes that run the program, and orphans of it that came to us."""
    left = []
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid == 0:
            left.append("a child that nobody waited for")
            break
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if os.path.samefile(folder / "exe", program):
                left.append(f"process {folder.name}")
        except OSError:
            pass  # it is gone, or somebody else's
    return left


def left_over_sockets(first_pid, last_pid):
    """TCP sockets at addresses of checks (network.cpp) whose processes have ended."""
    left = []
    for line in pathlib.Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        host, port = fields[1].split(":")
        address = int.from_bytes(bytes.fromhex(host), sys.byteorder)
        pid = ((address & 0xFFFFFF) >> 2) - 64
        if address >> 24 != 127 or not first_pid < pid < last_pid:
            continue
        if int(fields[3], 16) != TCP_TIME_WAIT and not os.path.exists(f"/proc/{pid}"):
            dotted = socket.inet_ntoa(address.to_bytes(4, "big"))
            left.append(f"socket {dotted}:{int(port, 16)} in state {fields[3]}")
    return left


def next_pid():
    return subprocess.Popen(["true"], stdout=subprocess.DEVNULL).pid


def main(arguments):
    build = next((b for b in ("Sanitized", "Unoptimized") if f"--{b.lower()}" in arguments), "")
    shows_reports = "--reports" in arguments
    program, *sources = [a for a in arguments if not a.startswith("--")]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    checks = promises_in(sources, build)

    first_pid = os.getpid()
    results = run(program, checks)
    last_pid = next_pid()

    faults = []
    for check, promise in checks.items():
        suite, name = check.split(".")
        if promise is not None:
            faults += faults_of(check, promise, results.get(check), results.get(f"{suite}.After{name}"))
        if shows_reports and check in results:
            print(f"==== {check}: {results[check]['real_ms']:.0f} ms\n{results[check]['report']}")
    until = time.monotonic() + LEFT_OVER_MAX_S
    while left := left_over_processes(program) + left_over_sockets(first_pid, last_pid):
        if time.monotonic() > until:
            faults += [f"left over: {what}" for what in left]
            break
        time.sleep(0.1)

    for fault in faults:
        print(f"- {fault}")
    skipped = sum(promise is None for promise in checks.values())
    print(f"{len(checks)} misbehaviours, {skipped} skipped, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
