#!/usr/bin/env python3
"""Checks every Markdown page of the repository against the repository.

    snippets.py [--source .] [--lessons 01-descriptors 02-connect ...]

One line per fault, "file:line: what is wrong"; exit status 1 when there is any. The rules:

  code     a fence after <!-- from: path --> stands in that file, its lines contiguous and verbatim
           apart from common indentation; a line "…" or "// …" separates two runs that come in this
           order. Of a .patch file, what stands there is the code as the patch leaves it. Every fence
           of C++ has such a comment.
  fences   every fence is closed, and says its language
  links    relative links lead to files of the repository, #anchors to headings
  folds    <details>, <summary> and </details> stand on lines of their own, with blank lines inside
  figures  <!-- figure: Suite.Name --> is followed by an image, every image exists, and a figure is
           well-formed SVG with a title
  lessons  a lesson's page has its title, its navigation lines and its sections, in order, with three
           hints and three questions; the top page has every lesson, in order
"""

import argparse
import pathlib
import re
import sys
import urllib.parse
import xml.etree.ElementTree

SECTIONS = (
    "Question",
    "Run it",
    "The rule",
    "Your task",
    "Grade it",
    "Hints",
    "Reflect",
    "War story",
    "Portability",
    "Further reading",
)
FOLDS_PER_SECTION = {"Hints": 3, "Reflect": 3}
NAMES_OF_CPP = ("cpp", "c++", "cc", "cxx", "hpp", "c", "h")
ELISIONS = ("…", "// …")
LESSON_NAME = re.compile(r"[0-9][0-9]-[a-z0-9-]+")
CHECK_NAME = re.compile(r"[A-Z]\w*\.[A-Z]\w*")
FENCE = re.compile(r"( *)(`{3,}|~{3,})\s*([^`\s]*)")
COMMENT = re.compile(r"<!--\s*(from|figure):\s*(.*?)\s*-->\s*$")
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
DEFINITION = re.compile(r" {0,3}\[([^\]]+)\]:\s*(\S+)")
HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*\s*$")
SVG = "{http://www.w3.org/2000/svg}"


class Fence:
    """A fenced block: 1-based line of its opening, its language, its lines, its from-comment."""

    def __init__(self, line, indent, marks, language, origin):
        self.line = line
        self.indent = indent
        self.marks = marks
        self.language = language
        self.origin = origin
        self.lines = []
        self.is_closed = False


class Page:
    """A Markdown file, read once: its fences, its headings, and its text without the fences."""

    def __init__(self, path):
        self.path = path
        self.lines = path.read_text(encoding="utf-8").split("\n")
        self.fences = []
        self.prose = []  # (1-based line, text outside fences)
        self.comments = []  # (1-based line, "from" or "figure", value)
        self.headings = []  # (1-based line, level, text)
        self._read()
        self.anchors = anchors_of(self.headings)

    def _read(self):
        fence = None
        origin = None
        for number, line in enumerate(self.lines, 1):
            if fence:
                if re.fullmatch(
                    re.escape(fence.marks[0]) + "{%d,}" % len(fence.marks), line.strip()
                ):
                    fence.is_closed = True
                    fence = None
                else:
                    fence.lines.append(line)
                continue
            opening = FENCE.match(line)
            if opening:
                fence = Fence(
                    number, len(opening.group(1)), opening.group(2), opening.group(3), origin
                )
                self.fences.append(fence)
                origin = None
                continue
            self.prose.append((number, line))
            comment = COMMENT.match(line)
            if comment:
                self.comments.append((number, comment.group(1), comment.group(2)))
            origin = (number, comment.group(2)) if comment and comment.group(1) == "from" else None
            heading = HEADING.match(line)
            if heading:
                self.headings.append((number, len(heading.group(1)), heading.group(2)))


def anchors_of(headings):
    """The anchors that GitHub gives to the headings."""
    seen = {}
    anchors = set()
    for _, _, text in headings:
        text = LINK.sub(r"\2", text).replace("`", "").replace("*", "")
        anchor = re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
        count = seen.get(anchor, 0)
        seen[anchor] = count + 1
        anchors.add(f"{anchor}-{count}" if count else anchor)
    return anchors


# ---- Code that stands in a file


def dedented(lines):
    """The lines without their common indentation and without blanks at their ends."""
    lines = [line.expandtabs(4).rstrip() for line in lines]
    depths = [len(line) - len(line.lstrip()) for line in lines if line]
    depth = min(depths, default=0)
    return [line[depth:] for line in lines]


def runs_of(lines):
    """The lines of a fence cut at elisions, blank lines at the edges of a run dropped."""
    runs = [[]]
    for line in lines:
        if line.strip() in ELISIONS:
            runs.append([])
        else:
            runs[-1].append(line)
    trimmed = []
    for run in runs:
        while run and not run[0].strip():
            run = run[1:]
        while run and not run[-1].strip():
            run = run[:-1]
        if run:
            trimmed.append(run)
    return trimmed


def patched(lines):
    """What a patch leaves: its kept and added lines. None stands between two hunks."""
    result = []
    is_in_hunk = False
    for line in lines:
        if line.startswith("@@"):
            result.append(None)
            is_in_hunk = True
        elif is_in_hunk and line[:1] in (" ", "+"):
            result.append(line[1:])
        elif is_in_hunk and line == "":
            result.append("")
    return result


def find_run(run, lines, start):
    """Where `run` ends in `lines` when looked for from `start` on; None when it is not there."""
    wanted = dedented(run)
    for at in range(start, len(lines) - len(run) + 1):
        window = lines[at : at + len(run)]
        if None not in window and dedented(window) == wanted:
            return at + len(run)
    return None


def closest_line(run, lines):
    """The first line of `run` that stands nowhere in `lines`; None when each stands somewhere."""
    known = {line.strip() for line in lines if line is not None}
    return next((line.strip() for line in run if line.strip() not in known), None)


# ---- The rules


class Checker:
    def __init__(self, source, lessons=None):
        self.source = source.resolve()
        self.lessons = lessons
        if lessons is None:
            folders = sorted((self.source / "lessons").glob("[0-9][0-9]-*"))
            self.lessons = [
                folder.name
                for folder in folders
                if folder.is_dir() and LESSON_NAME.fullmatch(folder.name)
            ]
        self.faults = []
        self.pages = {}

    def run(self):
        """Checks everything and returns the faults, in order."""
        for path in self.markdown_files():
            self.pages[path] = Page(path)
        for page in list(self.pages.values()):
            self.check_fences(page)
            self.check_links(page)
            self.check_folds(page)
            self.check_figures(page)
        for lesson in self.lessons:
            page = self.pages.get(self.source / "lessons" / lesson / "README.md")
            if page:
                self.check_lesson(page, lesson)
            else:
                self.fault(
                    self.source / "lessons" / lesson / "README.md", 1, "the lesson has no page"
                )
        self.check_top_page()
        return [
            f"{path.relative_to(self.source).as_posix()}:{line}: {text}"
            for path, line, text in sorted(self.faults)
        ]

    def fault(self, path, line, text):
        self.faults.append((path, line, text))

    def markdown_files(self):
        """Every Markdown file but those of build folders, subprojects and hidden folders."""
        found = []
        pending = [self.source]
        while pending:
            folder = pending.pop()
            for path in sorted(folder.iterdir()):
                if (
                    path.name.startswith(".")
                    or path.name in ("subprojects", "node_modules")
                    or path.is_symlink()
                ):
                    continue
                if path.is_dir():
                    if not (path / "meson-private").is_dir():
                        pending.append(path)
                elif path.suffix == ".md":
                    found.append(path)
        return sorted(found)

    # ---- code and fences

    def check_fences(self, page):
        for fence in page.fences:
            if not fence.is_closed:
                self.fault(page.path, fence.line, "the fence is never closed")
            if not fence.language:
                self.fault(
                    page.path,
                    fence.line,
                    "the fence does not say its language (```sh, ```console, ```text, ...)",
                )
            elif fence.language in NAMES_OF_CPP and fence.language != "cpp":
                self.fault(page.path, fence.line, f"```{fence.language} should be ```cpp")
            if fence.origin:
                self.check_origin(page, fence)
            elif fence.language in NAMES_OF_CPP:
                self.fault(
                    page.path,
                    fence.line,
                    "C++ without <!-- from: path --> on the line before the fence",
                )
        followed = {fence.origin[0] for fence in page.fences if fence.origin}
        for line, kind, _ in page.comments:
            if kind == "from" and line not in followed:
                self.fault(page.path, line, "no fence on the line after this comment")

    def check_origin(self, page, fence):
        line, name = fence.origin
        path = self.source / name
        if not name or not self.is_inside(path) or not path.is_file():
            self.fault(page.path, line, f"there is no file {name or '(no name)'}")
            return
        lines = path.read_text(encoding="utf-8").split("\n")
        if path.suffix == ".patch" and fence.language != "diff":
            lines = patched(lines)
        runs = runs_of(fence.lines)
        if not runs:
            self.fault(page.path, fence.line, "the fence quotes nothing")
        at = 0
        for run in runs:
            end = find_run(run, lines, at)
            if end is None:
                self.fault(page.path, fence.line, self.why_not(run, lines, name))
                return
            at = end

    @staticmethod
    def why_not(run, lines, name):
        missing = closest_line(run, lines)
        if missing:
            return f"not in {name}: {missing}"
        if find_run(run, lines, 0) is not None:
            return f"in {name}, but not after the lines before it: {run[0].strip()}"
        return f"in {name}, but not one below the other like this: {run[0].strip()}"

    # ---- links

    def is_inside(self, path):
        try:
            path.resolve().relative_to(self.source)
        except ValueError:
            return False
        return True

    def check_links(self, page):
        for line, text in page.prose:
            if text.startswith("<!--"):
                continue
            text = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", lambda span: "x" * len(span.group()), text)
            for link in LINK.finditer(text):
                self.check_link(page, line, link.group(3))
                for inner in LINK.finditer(link.group(2)):
                    self.check_link(page, line, inner.group(3))
            definition = DEFINITION.match(text)
            if definition:
                self.check_link(page, line, definition.group(2))

    def check_link(self, page, line, target):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            return
        name, _, anchor = target.partition("#")
        name = urllib.parse.unquote(name)
        if name.startswith("/"):
            self.fault(page.path, line, f"link to {target}: links are relative to the page")
            return
        path = (page.path.parent / name) if name else page.path
        if not self.is_inside(path) or not path.exists() or not self.has_exact_case(path):
            self.fault(page.path, line, f"link to {target}: there is no such file")
            return
        if not anchor:
            return
        path = path.resolve()
        other = self.pages.get(path)
        if other is None:
            self.fault(
                page.path, line, f"link to {target}: an anchor in something that is not a page"
            )
        elif anchor not in other.anchors:
            self.fault(page.path, line, f"link to {target}: there is no heading #{anchor}")

    def has_exact_case(self, path):
        """Whether the path is spelled as on disk, for file systems that do not care."""
        path = path.resolve()
        while path != self.source and path.parent != path:
            if path.name not in {entry.name for entry in path.parent.iterdir()}:
                return False
            path = path.parent
        return True

    # ---- folds

    def check_folds(self, page):
        depth = 0
        lines = dict(page.prose)
        for line, text in page.prose:
            text = re.sub(r"`[^`]*`", "", text) if not text.startswith("<summary") else text
            for tag in re.findall(r"</?(?:details|summary)\b[^>]*>", text):
                if tag.startswith("</summary"):
                    continue
                if tag.startswith("<summary"):
                    if not re.fullmatch(r"<summary>.+</summary>", text):
                        self.fault(
                            page.path,
                            line,
                            "<summary>...</summary> does not stand alone on its line",
                        )
                    elif lines.get(line + 1, "").strip():
                        self.fault(page.path, line, "no blank line after <summary>...</summary>")
                    continue
                if text != tag or tag not in ("<details>", "</details>"):
                    self.fault(page.path, line, f"{tag} does not stand alone on its line")
                if tag.startswith("</"):
                    depth -= 1
                    if lines.get(line - 1, "").strip() or (line - 1) not in lines:
                        self.fault(page.path, line, "no blank line before </details>")
                    if lines.get(line + 1, "").strip():
                        self.fault(page.path, line, "no blank line after </details>")
                else:
                    depth += 1
                    below = lines.get(line + 1, "") or lines.get(line + 2, "")
                    if not below.startswith("<summary>"):
                        self.fault(page.path, line, "<details> without a <summary> below it")
                if depth not in (0, 1):
                    self.fault(page.path, line, "<details> and </details> do not pair")
                    depth = min(max(depth, 0), 1)
        if depth:
            self.fault(page.path, len(page.lines), "<details> is never closed")

    # ---- figures

    def check_figures(self, page):
        lines = dict(page.prose)
        for line, kind, name in page.comments:
            if kind != "figure":
                continue
            if not CHECK_NAME.fullmatch(name):
                self.fault(page.path, line, f"{name} is not the name of a check (Suite.Name)")
            if not re.fullmatch(r"!\[.+\]\([^)]+\)", lines.get(line + 1, "").strip()):
                self.fault(
                    page.path, line, "no image, with a caption, on the line after this comment"
                )
        for line, text in page.prose:
            for link in LINK.finditer(re.sub(r"^<!--.*-->$", "", text)):
                if link.group(1) and link.group(3).endswith(".svg"):
                    self.check_svg(page, line, page.path.parent / link.group(3))

    def check_svg(self, page, line, path):
        if not path.is_file():
            return  # check_links has said so
        try:
            root = xml.etree.ElementTree.parse(path).getroot()
        except xml.etree.ElementTree.ParseError as error:
            self.fault(page.path, line, f"{path.name} is not well-formed: {error}")
            return
        if root.tag != SVG + "svg":
            self.fault(page.path, line, f"{path.name} is not SVG")
        elif not (root.findtext(SVG + "title") or "").strip():
            self.fault(page.path, line, f"{path.name} has no <title>, so it cannot be read aloud")

    # ---- lessons

    def title(self, lesson):
        """ "Send and receive": from the page of the lesson, else from its folder's name."""
        page = self.pages.get(self.source / "lessons" / lesson / "README.md")
        if page:
            match = re.fullmatch(r"# [0-9][0-9] · (.+)", page.lines[0])
            if match:
                return match.group(1)
        return lesson[3:].replace("-", " ").capitalize()

    def navigation(self, lesson):
        at = self.lessons.index(lesson)
        parts = []
        if at > 0:
            other = self.lessons[at - 1]
            parts.append(f"[← {other[:2]} {self.title(other)}](../{other}/README.md)")
        parts.append("[Course](../../README.md)")
        if at + 1 < len(self.lessons):
            other = self.lessons[at + 1]
            parts.append(f"[{other[:2]} {self.title(other)} →](../{other}/README.md)")
        return " · ".join(parts)

    def check_lesson(self, page, lesson):
        if not re.fullmatch(re.escape(f"# {lesson[:2]} · ") + r"\S.*", page.lines[0]):
            self.fault(page.path, 1, f'the first line is not "# {lesson[:2]} · Title"')
        self.check_navigation(page, lesson)
        for line, level, _ in page.headings[1:]:
            if level == 1:
                self.fault(page.path, line, "a second title")
        self.check_sections(page)

    def check_navigation(self, page, lesson):
        wanted = self.navigation(lesson)
        filled = [(line, text) for line, text in enumerate(page.lines, 1) if text.strip()]
        if len(filled) < 2 or filled[1][1] != wanted:
            self.fault(
                page.path,
                filled[1][0] if len(filled) > 1 else 1,
                f"the navigation line should be {wanted}",
            )
        if filled[-1][1] != wanted:
            self.fault(page.path, filled[-1][0], f"the last line should be {wanted}")

    def check_sections(self, page):
        found = [(line, text) for line, level, text in page.headings if level == 2]
        names = [text for _, text in found]
        for line, text in found:
            if text not in SECTIONS:
                self.fault(page.path, line, f'no lesson has a section "{text}"')
            elif names.index(text) != found.index((line, text)):
                self.fault(page.path, line, f'a second section "{text}"')
        for name in SECTIONS:
            if name not in names:
                self.fault(page.path, 1, f'there is no section "{name}"')
        known = [(line, text) for line, text in found if text in SECTIONS]
        for (_, before), (line, text) in zip(known, known[1:]):
            if SECTIONS.index(text) < SECTIONS.index(before):
                self.fault(page.path, line, f'section "{text}" belongs before "{before}"')
        for index, (line, text) in enumerate(found):
            end = found[index + 1][0] if index + 1 < len(found) else len(page.lines) + 1
            folds = sum(
                1 for at, prose in page.prose if line < at < end and prose.startswith("<details")
            )
            if text in FOLDS_PER_SECTION and folds != FOLDS_PER_SECTION[text]:
                self.fault(
                    page.path,
                    line,
                    f'"{text}" has {folds} folds instead of {FOLDS_PER_SECTION[text]}',
                )

    def check_top_page(self):
        path = self.source / "README.md"
        page = self.pages.get(path)
        if not page:
            self.fault(path, 1, "there is no top page")
            return
        rows = []
        for line, text in page.prose:
            if text.startswith("|"):
                rows += [
                    (line, name) for name in re.findall(r"\(lessons/([^/)]+)/README\.md\)", text)
                ]
        names = [name for _, name in rows]
        for lesson in self.lessons:
            if lesson not in names:
                self.fault(path, 1, f"no table row links lessons/{lesson}/README.md")
        known = [(line, name) for line, name in rows if name in self.lessons]
        for (_, before), (line, name) in zip(known, known[1:]):
            if self.lessons.index(name) < self.lessons.index(before):
                self.fault(path, line, f"lesson {name} stands after {before}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--source",
        type=pathlib.Path,
        default=pathlib.Path(__file__).resolve().parents[2],
        help="top folder of the repository (default: the one this file is in)",
    )
    parser.add_argument(
        "--lessons", nargs="*", help="the lessons in order (default: the folders lessons/NN-*)"
    )
    options = parser.parse_args()
    faults = Checker(options.source, options.lessons).run()
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
