#!/usr/bin/env python3
"""Fills in the table of docs/what-select-promises.md.

    promises.py [--check] --source .

A row is written by hand as far as its promise and its checks: `| promise | | Suite.Name Suite.Other | |`. Lesson and
mistakes are taken from the files: the lesson whose checks have that name, and the patches whose header names the check.
With --check nothing is written; exit status 1 when the table is out of date or a check has no mistake.
"""

import argparse
import pathlib
import re
import sys

PAGE = "docs/what-select-promises.md"
ROW = re.compile(r"^\| (?!Promise|---)(.+?) \|(.*)\|(.*)\|(.*)\|$", re.M)
CHECK_NAME = re.compile(r"\b[A-Z]\w*\.[A-Z]\w*\b")
CHECK = re.compile(r"^TEST\((\w+), (\w+)\)", re.M)
HEADER = re.compile(r"^Check: *(\S+)", re.M)


class Unknown(Exception):
    """The table names a check that does not exist, or that no mistake attacks."""


class Course:
    """What the table is filled in from: who holds which check, and which mistakes it catches."""

    def __init__(self, source):
        self.lesson_of = {}
        self.mistakes_of = {}
        self.titles = {}
        for page in sorted(source.glob("lessons/[0-9][0-9]-*/README.md")):
            lesson = page.parent.name
            self.titles[lesson] = page.read_text(encoding="utf-8").split("\n", 1)[0].removeprefix("# ")
            for file in sorted((source / "tests" / lesson).glob("*_test.cpp")):
                for suite, name in CHECK.findall(file.read_text(encoding="utf-8")):
                    self.lesson_of[f"{suite}.{name}"] = lesson
            for patch in sorted((source / "tests" / lesson / "mistakes").glob("*.patch")):
                check = HEADER.search(patch.read_text(encoding="utf-8"))
                if check:
                    self.mistakes_of.setdefault(check[1], []).append(patch.stem)

    def row(self, promise, checks):
        for check in checks:
            if check not in self.lesson_of:
                raise Unknown(f"there is no check {check}")
            if check not in self.mistakes_of:
                raise Unknown(f"no mistake names {check}")
        lessons = dict.fromkeys(self.lesson_of[check] for check in checks)
        links = "<br>".join(f"[{self.titles[lesson]}](../lessons/{lesson}/README.md)" for lesson in lessons)
        names = "<br>".join(f"`{check}`" for check in checks)
        names_of_mistakes = dict.fromkeys(name for check in checks for name in self.mistakes_of[check])
        mistakes = ", ".join(f"`{name}`" for name in names_of_mistakes)
        return f"| {promise} | {links} | {names} | {mistakes} |"


def filled_in(text, course):
    """The page with every row completed."""
    rows = ROW.findall(text)
    if not rows:
        raise Unknown("the table has no rows")
    return ROW.sub(lambda row: course.row(row[1], CHECK_NAME.findall(row[3])), text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare")
    parser.add_argument("--source", required=True, type=pathlib.Path, help="top folder of the repository")
    options = parser.parse_args()
    page = options.source / PAGE
    text = page.read_text(encoding="utf-8")
    try:
        wanted = filled_in(text, Course(options.source))
    except Unknown as problem:
        print(f"{PAGE}: {problem}", file=sys.stderr)
        return 1
    if text == wanted:
        return 0
    print(f"{PAGE}: {'out of date; `ninja -C build fill-promises`' if options.check else 'filled in'}")
    if options.check:
        return 1
    page.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
