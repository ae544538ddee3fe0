#!/usr/bin/env python3
"""Tests of docs/github-to-doxygen.awk: what becomes of each piece of Markdown."""

import os
import pathlib
import subprocess
import tempfile
import unittest

FILTER = pathlib.Path(__file__).resolve().parents[2] / "docs" / "github-to-doxygen.awk"
LESSON = "lessons/02-pipes/README.md"


class FilterTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.source = pathlib.Path(folder.name)

    def write(self, name, text):
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def run_filter(self, text, name=LESSON, url=""):
        path = self.write(name, text)
        environment = dict(os.environ, COURSE_SOURCE=str(self.source), COURSE_REPOSITORY_URL=url)
        return subprocess.run(
            ["awk", "-f", str(FILTER), str(path)],
            env=environment,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=True,
        )

    def becomes(self, text, expected, name=LESSON, url=""):
        done = self.run_filter(text + "\n", name, url)
        self.assertEqual(done.stderr, "")
        self.assertEqual(done.stdout.rstrip("\n"), expected)


class Headings(FilterTest):
    def test_the_title_names_the_page(self):
        self.becomes("# 02 · Pipes", "# 02 · Pipes {#lesson-02-pipes}\n\n\\tableofcontents{HTML:1}")
        self.becomes("# Course", "# Course {#mainpage}", "README.md")
        self.becomes("# Why", "# Why {#why-so}\n\n\\tableofcontents{HTML:1}", "docs/why-so.md")

    def test_get_the_anchor_that_github_gives_them(self):
        self.becomes("## Why `nfds` + 1?", "## Why `nfds` + 1? {#lesson-02-pipes-why-nfds--1}")

    def test_keep_their_quotes(self):
        self.becomes('## "A"', '## "A" {#lesson-02-pipes-a}')

    def test_that_repeat_are_counted(self):
        self.becomes("## A\n## A", "## A {#lesson-02-pipes-a}\n## A {#lesson-02-pipes-a-1}")

    def test_of_the_main_page_are_no_sections(self):
        self.becomes(
            "## The course", "@anchor mainpage-the-course\n<h1>The course</h1>", "README.md"
        )


class Links(FilterTest):
    def test_to_a_lesson(self):
        self.becomes("[one](../01-taps/README.md)", '@ref lesson-01-taps "one"')

    def test_to_a_section_of_a_lesson(self):
        self.becomes("[one](../01-taps/README.md#the-rule)", '@ref lesson-01-taps-the-rule "one"')

    def test_to_a_section_of_the_same_page(self):
        self.becomes("[hints](#hints)", '@ref lesson-02-pipes-hints "hints"')

    def test_to_the_main_page_and_the_documents(self):
        self.becomes("[up](../../README.md)", '@ref index "up"')
        self.becomes("[how](../../docs/how.md)", '@ref how "how"')

    def test_to_a_header(self):
        self.becomes(
            "[`pipes.hpp`](pipes.hpp)", '<tt>@ref lessons/02-pipes/pipes.hpp "pipes.hpp"</tt>'
        )
        self.becomes("[g](../../tests/grader/a/b.hpp)", '@ref tests/grader/a/b.hpp "g"')

    def test_to_a_file_outside_the_site_keep_their_text(self):
        self.becomes("see [`pipes.cpp`](pipes.cpp).", "see `pipes.cpp`.")

    def test_to_a_file_outside_the_site_go_to_the_repository_when_there_is_one(self):
        self.becomes(
            "[`p`](pipes.cpp#L3)",
            "[`p`](https://example.org/main/lessons/02-pipes/pipes.cpp#L3)",
            url="https://example.org/main",
        )

    def test_to_elsewhere_stay(self):
        self.becomes("[x](https://example.org/a_b@c)", "[x](https://example.org/a_b@c)")

    def test_in_the_table_of_the_main_page_order_the_sidebar(self):
        one = "| [1](lessons/01-taps/README.md) | [1](lessons/01-taps/README.md) |"
        self.becomes("[1](lessons/01-taps/README.md)", '@ref lesson-01-taps "1"', "README.md")
        self.becomes(one, '| @subpage lesson-01-taps "1" | @ref lesson-01-taps "1" |', "README.md")

    def test_several_on_a_line(self):
        self.becomes("[a](#a), `[b](b)` and [c]", '@ref lesson-02-pipes-a "a", `[b](b)` and [c]')


class Text(FilterTest):
    def test_is_no_command(self):
        self.becomes("me@example ::send \\* x", "me\\@example \\::send \\* x")

    def test_between_quotes_keeps_its_markdown(self):
        self.becomes('"the `"x"`"', '&quot;the `"x"`&quot;')

    def test_in_code_stays(self):
        self.becomes("`a@b` ``x ` y`` `std::span` `\\r\\n`", "`a@b` ``x ` y`` `std::span` `\\r\\n`")

    def test_in_code_that_looks_like_a_link_is_escaped(self):
        self.becomes("`::send(a_b, *c)`", "<tt>\\::send(a\\_b, \\*c)</tt>")
        self.becomes("`#include <x>`", "<tt>\\#include &lt;x&gt;</tt>")

    def test_in_comments_vanishes(self):
        self.becomes("<!-- from: x -->\na\n<!-- b\nc -->\nd", "a\nd")

    def test_in_task_lists_gets_boxes(self):
        self.becomes("- [ ] a\n- [x] b", "- ☐ a\n- ☑ b")


class Blocks(FilterTest):
    def html(self, text):
        return f"@htmlonly[block]\n{text}\n@endhtmlonly"

    def test_of_cpp_go_to_doxygen(self):
        self.becomes("```cpp\n@a [b](c)\n```", "```cpp\n@a [b](c)\n```")

    def test_of_anything_else_are_html(self):
        self.becomes(
            "```sh\na <b>\n# c\n```",
            self.html(
                '<div class="fragment sh">\n<div class="line">a &lt;b&gt;</div>\n'
                '<div class="line"># c</div>\n</div>'
            ),
        )

    def test_in_a_list_go_to_doxygen(self):
        self.becomes("- a\n\n  ```sh\n  b\n  ```", "- a\n\n  ```{.unparsed}\n  b\n  ```")

    def test_of_a_transcript_tell_typed_lines_from_output(self):
        self.becomes(
            "```console\n$ a\nb\n```",
            self.html(
                '<div class="fragment console">\n<div class="line typed">a</div>\n'
                '<div class="line"><span class="lineno">b</span></div>\n</div>'
            ),
        )

    def test_of_a_transcript_without_prompts_are_copied_whole(self):
        self.becomes(
            "```console\na\n```",
            self.html('<div class="fragment console">\n<div class="line">a</div>\n</div>'),
        )

    def test_of_a_difference_tell_its_lines(self):
        self.becomes(
            "```diff\n-a\n+b\n c\n```",
            self.html(
                '<div class="fragment diff">\n<div class="line removed">-a</div>\n'
                '<div class="line added">+b</div>\n<div class="line"> c</div>\n</div>'
            ),
        )

    def test_may_be_nested_in_longer_fences(self):
        self.becomes(
            "````text\n```\n````",
            self.html('<div class="fragment text">\n<div class="line">```</div>\n</div>'),
        )

    def test_that_fold_keep_markdown_inside(self):
        self.becomes(
            "<details>\n<summary>Why `x` & y?</summary>\n\n*a*\n\n</details>",
            self.html('<details class="fold">')
            + "\n"
            + self.html("<summary>Why <code>x</code> &amp; y?</summary>")
            + "\n\n*a*\n\n"
            + self.html("</details>"),
        )

    def test_that_warn_become_asides(self):
        self.becomes(
            "> [!NOTE]\n> a@b\n> c\n\nd",
            self.html('<aside class="alert note"><p class="kind">Note</p>')
            + "\na\\@b\nc\n"
            + self.html("</aside>")
            + "\n\nd",
        )

    def test_that_warn_at_the_end_are_closed(self):
        self.becomes(
            "> [!TIP]\n> a",
            self.html('<aside class="alert tip"><p class="kind">Tip</p>')
            + "\na\n"
            + self.html("</aside>"),
        )

    def test_the_navigation_line(self):
        self.becomes(
            "[← 01 Taps](../01-taps/README.md) · [Course](../../README.md) · [03 Sinks →](../03-sinks/README.md)",
            self.html(
                '<nav class="lesson-nav" aria-label="Lessons">\n'
                '<a class="previous" href="lesson-01-taps.html" rel="prev"><span>01 Taps</span></a>\n'
                '<a class="course" href="index.html"><span>Course</span></a>\n'
                '<a class="next" href="lesson-03-sinks.html" rel="next"><span>03 Sinks</span></a>\n</nav>'
            ),
        )


class Figures(FilterTest):
    def test_are_put_into_the_page(self):
        self.write("lessons/02-pipes/tap.svg", '<?xml version="1.0"?>\n<svg>\n<g/>\n</svg>\n')
        self.becomes(
            "![A `tap` & more](tap.svg)",
            '@htmlonly[block]\n<figure>\n<div class="drawing">\n<svg>\n<g/>\n</svg>\n</div>\n'
            "<figcaption>A <code>tap</code> &amp; more</figcaption>\n</figure>\n@endhtmlonly",
        )

    def test_that_are_missing_are_an_error(self):
        done = self.run_filter("a\n\n![A tap](tap.svg)\n")
        self.assertIn(f"{LESSON}:3: error: no figure", done.stderr)
        self.assertIn("@ref missing-figure", done.stdout)


if __name__ == "__main__":
    unittest.main()
