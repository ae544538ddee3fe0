#!/usr/bin/env python3
"""Tests of snippets.py: a good tree has no fault, and every rule can fail."""

import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import snippets  # noqa: E402

LESSONS = {"01-pipes": "Pipes", "02-two-pipes": "Two pipes", "03-valves": "Valves"}

CODE = """\
#include <cstdio>

int open_valve(int number) {
  if (number < 0) {
    return -1;
  }
  return number;
}
"""

PATCH = """\
Mistake: opens every valve

--- a/solutions/valves.cpp
+++ b/solutions/valves.cpp
@@ -3,3 +3,3 @@
 int open_valve(int number) {
-  if (number < 0) {
+  if (number == 0) {
     return -1;
@@ -7,1 +7,1 @@
   return number;
"""

SVG = '<svg xmlns="http://www.w3.org/2000/svg"><title>A valve</title></svg>\n'

FOLD = """\
<details>
<summary>{summary}</summary>

Text with `code`.

</details>
"""

LESSON = """\
# {number} · {title}

{navigation}

## Question

Which one? See [the other](#grade-it), [all](../../README.md#the-course) and [code](../../code/valves.cpp).

## Run it

```sh
true
```

## The rule

<!-- figure: Valve.OpensOnce -->
![A valve](valve.svg)

## Your task

<!-- from: code/valves.cpp -->
```cpp
if (number < 0) {{
  return -1;
}}
```

## Grade it

<!-- from: code/valves.cpp -->
```cpp
int open_valve(int number) {{
  // …
  return number;
}}
```

## Hints

{hints}
## Reflect

{questions}
## War story

<!-- from: code/wrong.patch -->
```cpp
if (number == 0) {{
  return -1;
```

## Portability

None. An inline `[not](a-link)` is code.

## Further reading

- [elsewhere](https://example.org/#nowhere)

{navigation}
"""

TOP = """\
# Course

## The course

| | Lesson |
|--:|---|
| 01 | [Pipes](lessons/01-pipes/README.md) |
| 02 | [Two pipes](lessons/02-two-pipes/README.md) |
| 03 | [Valves](lessons/03-valves/README.md) |
"""

MIDDLE = "lessons/02-two-pipes/README.md"


def navigation(name):
    names = list(LESSONS)
    at = names.index(name)
    parts = []
    if at:
        parts.append(
            f"[← {names[at - 1][:2]} {LESSONS[names[at - 1]]}](../{names[at - 1]}/README.md)"
        )
    parts.append("[Course](../../README.md)")
    if at + 1 < len(names):
        parts.append(
            f"[{names[at + 1][:2]} {LESSONS[names[at + 1]]} →](../{names[at + 1]}/README.md)"
        )
    return " · ".join(parts)


class SnippetsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.source = pathlib.Path(folder.name)
        self.write("README.md", TOP)
        self.write("code/valves.cpp", CODE)
        self.write("code/wrong.patch", PATCH)
        for name, title in LESSONS.items():
            text = LESSON.format(
                number=name[:2],
                title=title,
                navigation=navigation(name),
                hints="\n".join(FOLD.format(summary=f"Hint {n}") for n in (1, 2, 3)),
                questions="\n".join(FOLD.format(summary=f"Question {n}?") for n in (1, 2, 3)),
            )
            self.write(f"lessons/{name}/README.md", text)
            self.write(f"lessons/{name}/valve.svg", SVG)

    def write(self, name, text):
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def faults(self, lessons=None):
        return snippets.Checker(self.source, lessons).run()

    def change(self, old, new, name=MIDDLE, count=1):
        """Replaces `old`, which must be there, and returns the faults that this makes."""
        path = self.source / name
        text = path.read_text(encoding="utf-8")
        self.assertIn(old, text)
        path.write_text(text.replace(old, new, count), encoding="utf-8")
        return self.faults()

    def assert_one(self, faults, *parts):
        self.assertEqual(len(faults), 1, faults)
        for part in parts:
            self.assertIn(part, faults[0])

    def line_of(self, text, name=MIDDLE):
        lines = (self.source / name).read_text(encoding="utf-8").split("\n")
        return next(number for number, line in enumerate(lines, 1) if text in line)


class AGoodTree(SnippetsTest):
    def test_has_no_fault(self):
        self.assertEqual(self.faults(), [])

    def test_may_name_its_lessons(self):
        self.assertEqual(self.faults(list(LESSONS)), [])

    def test_is_not_read_in_hidden_and_build_folders(self):
        self.write(".hidden/page.md", "[x](nowhere)")
        self.write("build/meson-private/x", "")
        self.write("build/page.md", "[x](nowhere)")
        self.assertEqual(self.faults(), [])

    def test_may_have_a_blank_line_above_a_summary(self):
        self.assertEqual(
            self.change("<details>\n<summary>Hint 2", "<details>\n\n<summary>Hint 2"), []
        )


class Code(SnippetsTest):
    def test_changed_in_the_text_is_a_fault(self):
        line = self.line_of("if (number < 0)") - 1
        self.assert_one(
            self.change("if (number < 0) {", "if (number <= 0) {"),
            f"{MIDDLE}:{line}: ",
            "not in code/valves.cpp: if (number <= 0) {",
        )

    def test_changed_in_the_file_is_a_fault_of_every_page(self):
        faults = self.change("  return number;", "  return number + 1;", "code/valves.cpp")
        self.assertEqual(len(faults), 3, faults)

    def test_that_skips_a_line_is_a_fault(self):
        self.assert_one(self.change("  return -1;\n}\n", "}\n"), "not one below the other")

    def test_with_other_inner_indentation_is_a_fault(self):
        self.assert_one(
            self.change("  return -1;\n}\n", "      return -1;\n}\n"), "not one below the other"
        )

    def test_in_another_order_is_a_fault(self):
        self.assert_one(
            self.change(
                "int open_valve(int number) {\n  // …\n  return number;\n}",
                "return number;\n…\nint open_valve(int number) {",
            ),
            "not after the lines before it",
        )

    def test_of_a_missing_file_is_a_fault(self):
        line = self.line_of("from: code/valves.cpp")
        self.assert_one(
            self.change("from: code/valves.cpp", "from: code/pumps.cpp"),
            f"{MIDDLE}:{line}: ",
            "there is no file code/pumps.cpp",
        )

    def test_of_a_file_outside_is_a_fault(self):
        self.assert_one(
            self.change("from: code/valves.cpp", "from: ../../../../etc/hostname"),
            "there is no file",
        )

    def test_without_a_comment_is_a_fault(self):
        self.assert_one(self.change("<!-- from: code/valves.cpp -->\n", ""), "C++ without")

    def test_with_a_line_between_comment_and_fence_is_a_fault(self):
        faults = self.change("valves.cpp -->\n", "valves.cpp -->\n\n")
        self.assertEqual(len(faults), 2, faults)
        self.assertIn("no fence on the line after", faults[0])
        self.assertIn("C++ without", faults[1])

    def test_called_otherwise_is_a_fault(self):
        self.assert_one(self.change("```cpp", "```c++"), "should be ```cpp")

    def test_that_is_empty_is_a_fault(self):
        self.assert_one(
            self.change("```cpp\nif (number < 0) {\n  return -1;\n}\n", "```cpp\n"),
            "quotes nothing",
        )

    def test_of_a_patch_is_what_the_patch_leaves(self):
        self.assert_one(
            self.change("if (number == 0) {", "if (number < 0) {"), "not in code/wrong.patch"
        )

    def test_of_a_patch_does_not_run_over_hunks(self):
        self.assert_one(
            self.change("if (number == 0) {\n  return -1;\n", "    return -1;\n  return number;\n"),
            "not one below the other",
        )

    def test_of_a_patch_may_be_shown_as_a_difference(self):
        self.assertEqual(
            self.change(
                "```cpp\nif (number == 0) {\n  return -1;\n",
                "```diff\n-  if (number < 0) {\n+  if (number == 0) {\n",
            ),
            [],
        )


class Fences(SnippetsTest):
    def test_without_a_language_are_a_fault(self):
        self.assert_one(self.change("```sh", "```"), "does not say its language")

    def test_that_are_never_closed_are_a_fault(self):
        self.write("docs/page.md", "# A\n\n````text\nB\n```\n")
        self.assert_one(self.faults(), "docs/page.md:3: the fence is never closed")


class Links(SnippetsTest):
    def test_to_a_missing_file_are_a_fault(self):
        line = self.line_of("Which one?")
        self.assert_one(
            self.change("code/valves.cpp)", "code/pumps.cpp)"),
            f"{MIDDLE}:{line}: link to ../../code/pumps.cpp: there is no such file",
        )

    def test_in_other_case_are_a_fault(self):
        self.assert_one(
            self.change("code/valves.cpp)", "code/Valves.cpp)"), "there is no such file"
        )

    def test_out_of_the_repository_are_a_fault(self):
        self.assert_one(
            self.change("(../../code/valves.cpp)", "(../../../../)"), "there is no such file"
        )

    def test_from_the_root_are_a_fault(self):
        self.assert_one(
            self.change("(../../code/valves.cpp)", "(/code/valves.cpp)"), "relative to the page"
        )

    def test_to_a_missing_heading_here_are_a_fault(self):
        self.assert_one(
            self.change("(#grade-it)", "(#grade-them)"), "there is no heading #grade-them"
        )

    def test_to_a_missing_heading_there_are_a_fault(self):
        self.assert_one(self.change("#the-course", "#a-course"), "there is no heading #a-course")

    def test_to_an_anchor_in_code_are_a_fault(self):
        self.assert_one(self.change("valves.cpp)", "valves.cpp#L3)"), "not a page")

    def test_by_reference_are_checked(self):
        self.assert_one(
            self.change("| 03 |", "[pumps]: pumps.md\n| 03 |", "README.md"), "link to pumps.md"
        )

    def test_round_an_image_are_checked(self):
        self.assert_one(
            self.change(
                "[elsewhere](https://example.org/#nowhere)", "[![A valve](valve.svg)](pumps.md)"
            ),
            "link to pumps.md",
        )

    def test_to_repeated_headings_count_from_one(self):
        self.write("docs/page.md", "# A\n\n## `x` & *y*\n\n## x  y\n\n[1](#x--y) [2](#x--y-1)\n")
        self.assertEqual(self.faults(), [])
        self.assert_one(
            self.change("(#x--y-1)", "(#x--y-2)", "docs/page.md"), "there is no heading #x--y-2"
        )


class Folds(SnippetsTest):
    def test_on_a_line_with_text_are_a_fault(self):
        self.assertIn(
            "does not stand alone",
            "\n".join(self.change("<summary>Hint 2</summary>", "<summary>Hint 2</summary> x")),
        )
        self.assertIn(
            "does not stand alone", "\n".join(self.change("</details>", "</details> x", MIDDLE))
        )

    def test_without_a_blank_line_after_the_summary_are_a_fault(self):
        self.assert_one(
            self.change("Hint 2</summary>\n\n", "Hint 2</summary>\n"),
            "no blank line after <summary>",
        )

    def test_without_a_blank_line_before_the_end_are_a_fault(self):
        self.assert_one(
            self.change("\n\n</details>", "\n</details>"), "no blank line before </details>"
        )

    def test_without_a_blank_line_after_the_end_are_a_fault(self):
        self.assert_one(
            self.change("</details>\n\n", "</details>\n"), "no blank line after </details>"
        )

    def test_without_a_summary_are_a_fault(self):
        self.assert_one(
            self.change("<summary>Hint 2</summary>\n", ""), "<details> without a <summary>"
        )

    def test_that_do_not_pair_are_a_fault(self):
        self.assertIn(
            "do not pair", "\n".join(self.change("Text with `code`.\n\n</details>\n", "Text.\n"))
        )

    def test_that_never_end_are_a_fault(self):
        self.write("docs/page.md", "# A\n\n<details>\n<summary>B</summary>\n\nC\n")
        self.assert_one(self.faults(), "docs/page.md:7: <details> is never closed")

    def test_short_of_three_are_a_fault(self):
        self.assert_one(
            self.change(FOLD.format(summary="Hint 3"), ""), '"Hints" has 2 folds instead of 3'
        )
        self.assertIn(
            '"Reflect" has 2 folds instead of 3',
            "\n".join(self.change(FOLD.format(summary="Question 1?"), "")),
        )


class Figures(SnippetsTest):
    def test_that_are_missing_are_a_fault(self):
        (self.source / "lessons/02-two-pipes/valve.svg").unlink()
        self.assert_one(self.faults(), "link to valve.svg: there is no such file")

    def test_that_do_not_follow_their_comment_are_a_fault(self):
        self.assert_one(
            self.change("![A valve](valve.svg)", "\n![A valve](valve.svg)"),
            "no image, with a caption",
        )

    def test_without_a_caption_are_a_fault(self):
        self.assert_one(self.change("![A valve]", "![]"), "no image, with a caption")

    def test_that_name_no_check_are_a_fault(self):
        self.assert_one(self.change("Valve.OpensOnce", "valve"), "not the name of a check")

    def test_that_are_broken_are_a_fault(self):
        self.write("lessons/02-two-pipes/valve.svg", SVG.replace("</svg>", ""))
        self.assert_one(self.faults(), "not well-formed")

    def test_that_are_something_else_are_a_fault(self):
        self.write("lessons/02-two-pipes/valve.svg", "<html/>")
        self.assert_one(self.faults(), "is not SVG")

    def test_without_a_title_are_a_fault(self):
        self.write("lessons/02-two-pipes/valve.svg", SVG.replace("<title>A valve</title>", ""))
        self.assert_one(self.faults(), "has no <title>")


class Lessons(SnippetsTest):
    def test_with_another_title_line_are_a_fault(self):
        self.assert_one(
            self.change("# 02 · Two pipes", "# 02 - Two pipes"), ":1: the first line is not"
        )

    def test_renamed_make_the_neighbours_wrong(self):
        faults = self.change("# 02 · Two pipes", "# 02 · Twin pipes")
        self.assertEqual(len(faults), 4, faults)
        self.assertIn(
            "should be [Course](../../README.md) · [02 Twin pipes →](../02-two-pipes/README.md)",
            faults[0],
        )

    def test_with_a_wrong_first_navigation_line_are_a_fault(self):
        self.assert_one(
            self.change(navigation("02-two-pipes"), "[Course](../../README.md)"),
            f"{MIDDLE}:3: the navigation line should be",
        )

    def test_with_a_wrong_last_navigation_line_are_a_fault(self):
        self.assert_one(
            self.change(navigation("02-two-pipes") + "\n", "", count=2)[1:],
            "the last line should be",
        )

    def test_with_a_second_title_are_a_fault(self):
        self.assert_one(self.change("None. An", "# None\n\nAn"), "a second title")

    def test_without_a_section_are_a_fault(self):
        self.assert_one(self.change("## Portability\n", ""), 'no section "Portability"')

    def test_with_an_unknown_section_are_a_fault(self):
        self.assert_one(self.change("None. An", "## More\n\nAn"), 'no lesson has a section "More"')

    def test_with_a_section_twice_are_a_fault(self):
        self.assertIn(
            'a second section "Portability"',
            "\n".join(self.change("None. An", "## Portability\n\nAn")),
        )

    def test_with_sections_in_another_order_are_a_fault(self):
        text = (self.source / MIDDLE).read_text(encoding="utf-8")
        text = (
            text.replace("## Run it", "## X")
            .replace("## Question", "## Run it")
            .replace("## X", "## Question")
        )
        self.write(MIDDLE, text)
        self.assert_one(self.faults(), 'section "Question" belongs before "Run it"')

    def test_without_a_page_are_a_fault(self):
        self.write("lessons/04-pumps/pumps.hpp", "")
        self.assertIn("lessons/04-pumps/README.md:1: the lesson has no page", self.faults())

    def test_that_the_top_page_forgets_are_a_fault(self):
        row = "| 02 | [Two pipes](lessons/02-two-pipes/README.md) |\n"
        self.assert_one(
            self.change(row, "", "README.md"),
            "README.md:1: no table row links lessons/02-two-pipes",
        )

    def test_in_another_order_on_the_top_page_are_a_fault(self):
        one = "| 01 | [Pipes](lessons/01-pipes/README.md) |\n"
        two = "| 02 | [Two pipes](lessons/02-two-pipes/README.md) |\n"
        self.assert_one(
            self.change(one + two, two + one, "README.md"),
            "lesson 01-pipes stands after 02-two-pipes",
        )

    def test_without_a_top_page_are_a_fault(self):
        (self.source / "README.md").unlink()
        self.assertIn("README.md:1: there is no top page", self.faults())


class TheProgram(SnippetsTest):
    def run_with(self, *arguments):
        out = io.StringIO()
        old = sys.argv
        sys.argv = ["snippets.py", "--source", str(self.source), *arguments]
        try:
            with contextlib.redirect_stdout(out):
                return snippets.main(), out.getvalue()
        finally:
            sys.argv = old

    def test_is_silent_and_ends_with_0_when_all_is_well(self):
        self.assertEqual(self.run_with(), (0, ""))

    def test_prints_a_line_per_fault_and_ends_with_1(self):
        self.change("## Portability\n", "")
        self.change("# 02 · Two pipes", "# 02 - Two pipes")
        status, printed = self.run_with("--lessons", *LESSONS)
        self.assertEqual(status, 1)
        self.assertEqual(len(printed.splitlines()), 2, printed)


if __name__ == "__main__":
    unittest.main()
