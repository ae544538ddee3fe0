#!/usr/bin/env python3
"""Holds that grading programs say the same in every run, however busy the machine is.

usage: repeat.py [RUNS] PROGRAM...

Runs each PROGRAM RUNS times (default 6): a third one by one, a third while every processor is kept
busy, a third eight at a time while they are; then once as nohup(1) and a shell in the background
start it, with signals ignored and blocked. The JSON of all runs must be equal byte for byte but for
the real time that the checks took.
"""
import concurrent.futures
import difflib
import os
import re
import signal
import subprocess
import sys
import tempfile

RUNS = 6
AT_A_TIME = 8
RUN_MAX_S = 120
LINES_SHOWN_MAX = 40

REAL_TIME = re.compile(r'"real_ms": [^,]*')
BUSY = "while True: pass"
IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGPIPE)
BLOCKED = (signal.SIGUSR1, signal.SIGALRM)


def ignore_and_block():
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)


def run(program, before_exec=None):
    """The JSON of one run, without real times."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "result.json")
        subprocess.run([program, "--json", path, "--recordings"], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, timeout=RUN_MAX_S, check=False,
                       preexec_fn=before_exec)
        with open(path, encoding="utf-8") as file:
            return REAL_TIME.sub('"real_ms": 0', file.read())


class Load:
    """Keeps every processor busy."""

    def __enter__(self):
        self.processes = [subprocess.Popen([sys.executable, "-c", BUSY])
                          for _ in range(os.cpu_count())]

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()


def difference(wanted, got):
    lines = difflib.unified_diff(wanted.splitlines(), got.splitlines(), "first", "another",
                                 lineterm="", n=1)
    return "\n".join(list(lines)[:LINES_SHOWN_MAX])


def faults_of(program, runs):
    first = run(program)
    third = max(1, runs // 3)
    others = {"idle": [run(program) for _ in range(third)],
              "with signals ignored and blocked": [run(program, ignore_and_block)]}
    with Load():
        others["loaded"] = [run(program) for _ in range(third)]
        with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
            others[f"loaded, {AT_A_TIME} at a time"] = list(pool.map(run, [program] * third))
    faults = []
    for how, results in others.items():
        different = [result for result in results if result != first]
        if different:
            faults.append(f"{program}, {how}: {len(different)} of {len(results)} runs differ:\n"
                          + difference(first, different[0]))
    return faults


def main(arguments):
    runs = int(arguments.pop(0)) if arguments and arguments[0].isdigit() else RUNS
    faults = [fault for program in arguments for fault in faults_of(program, runs)]
    for fault in faults:
        print(f"- {fault}")
    print(f"{len(arguments)} programs, {runs} runs of each, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
