#!/usr/bin/env python3
"""Tests of the part of browse.py that needs no browser: the links of a site's files."""

import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import browse  # noqa: E402


class DeadLinks(unittest.TestCase):
    def faults(self, **pages):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in pages.items():
                pathlib.Path(folder, f"{name}.html").write_text(text, encoding="utf-8")
            return browse.dead_links(pathlib.Path(folder))

    def test_are_not_found_where_all_is_well(self):
        links = '<a href="b.html#x">b</a><a href="#y">y</a><p id="y"/><a href="https://example.org/">e</a>'
        self.assertEqual(self.faults(a=links, b='<a name="x"></a>'), [])

    def test_to_a_missing_page(self):
        self.assertEqual(self.faults(a='<a href="b.html">b</a>'), ["a.html: dead link to b.html"])

    def test_to_a_missing_picture_script_or_style(self):
        for tag in ('<img src="x"/>', '<script src="x"></script>', '<link href="x"/>'):
            self.assertEqual(self.faults(a=tag), ["a.html: dead link to x"])

    def test_to_a_missing_anchor(self):
        self.assertEqual(self.faults(a='<a href="#x">x</a>'), ["a.html: dead anchor in #x"])
        self.assertEqual(
            self.faults(a='<a href="b.html#x">x</a>', b=""), ["a.html: dead anchor in b.html#x"]
        )

    def test_of_many_pages_are_one_fault(self):
        self.assertEqual(
            self.faults(a='<img src="x"/>', b='<img src="x"/>', c='<img src="x"/>'),
            ["a.html and 2 more: dead link to x"],
        )

    def test_in_the_hidden_summary_do_not_count(self):
        self.assertEqual(
            self.faults(a='<div class="summary"><a href="#x">x</a></div><a href="#y">y</a>'),
            ["a.html: dead anchor in #y"],
        )


if __name__ == "__main__":
    unittest.main()
