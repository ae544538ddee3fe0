#!/usr/bin/env python3
"""Every verdict that the grader can give is explained on the page about the grader."""

import pathlib
import re
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]


class Verdicts(unittest.TestCase):
    def test_every_verdict_is_explained(self):
        source = (TOP / "tests/grader/report/recording.cpp").read_text(encoding="utf-8")
        names = re.findall(r'case Verdict::\w+:\s+return "([^"]+)"', source)
        page = (TOP / "docs/how-the-grader-works.md").read_text(encoding="utf-8")
        self.assertGreater(len(names), 10)
        for name in names:
            if name not in ("none", "expectation"):
                self.assertIn(f"| {name} |", page)


if __name__ == "__main__":
    unittest.main()
