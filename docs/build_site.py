#!/usr/bin/env python3
"""Builds the site of the course with Doxygen.

    build_site.py --source . --out build/site

The site is then OUT/html/index.html. Nothing is written outside OUT. Every warning of Doxygen is a
failure. Debian's package doxygen-awesome-css gives the site its looks; without it the site is
plainer, and nothing else is missing.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys

THEME_FOLDER = pathlib.Path("/usr/share/doxygen-awesome-css")
THEME_STYLES = (
    "doxygen-awesome.css",
    "doxygen-awesome-sidebar-only.css",
    "doxygen-awesome-sidebar-only-darkmode-toggle.css",
)
THEME_SCRIPTS = {
    "doxygen-awesome-darkmode-toggle.js": "DoxygenAwesomeDarkModeToggle",
    "doxygen-awesome-fragment-copy-button.js": "DoxygenAwesomeFragmentCopyButton",
    "doxygen-awesome-interactive-toc.js": "DoxygenAwesomeInteractiveToc",
    "doxygen-awesome-paragraph-link.js": "DoxygenAwesomeParagraphLink",
}
TIME_LIMIT_SECONDS = 120


class Failure(Exception):
    """The site could not be built; the text says why."""


def pages_and_headers(source):
    """Everything that Doxygen reads, relative to `source`, in the order of the sidebar."""
    found = [source / "README.md"]
    found += sorted(source.glob("lessons/[0-9][0-9]-*/README.md"))
    found += sorted(source.glob("docs/*.md"))
    found += sorted(source.glob("docs/*.dox"))
    found += sorted(source.glob("lessons/*/*.hpp"))
    found += sorted(source.glob("tests/grader/**/*.hpp"))
    if not found[0].is_file():
        raise Failure(f"{found[0]} is missing: it becomes the main page")
    return [path.relative_to(source).as_posix() for path in found]


def quoted(paths):
    return " ".join(f'"{path}"' for path in paths)


def write_doxyfile(source, out, theme):
    """Fills in docs/Doxyfile.in and returns where the result is."""
    values = {
        "SOURCE": str(source),
        "OUT": str(out),
        "INPUT": quoted(pages_and_headers(source)),
        "STYLESHEETS": quoted([theme / name for name in THEME_STYLES] if theme else [])
        + ' "docs/theme/course.css"',
        "EXTRA_FILES": quoted([theme / name for name in THEME_SCRIPTS] if theme else []),
    }
    text = (source / "docs" / "Doxyfile.in").read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    doxyfile = out / "Doxyfile"
    doxyfile.write_text(text, encoding="utf-8")
    return doxyfile


def run(command, source, repository_url):
    """Runs `command` in the top folder of the repository; raises Failure with what it said."""
    environment = dict(os.environ)
    environment["COURSE_SOURCE"] = str(source)
    environment["COURSE_REPOSITORY_URL"] = repository_url.rstrip("/")
    environment["LC_ALL"] = "C.UTF-8"
    try:
        done = subprocess.run(
            command,
            cwd=source,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=TIME_LIMIT_SECONDS,
            check=False,
        )
    except OSError as error:
        hint = "on Debian and Ubuntu: apt-get install doxygen"
        raise Failure(f"cannot run {command[0]}: {error.strerror}; {hint}") from error
    except subprocess.TimeoutExpired as error:
        raise Failure(f"{command[0]} took more than {TIME_LIMIT_SECONDS} s") from error
    if done.returncode != 0:
        raise Failure(done.stdout.strip() or f"{command[0]} ended with status {done.returncode}")


def check_contracts(doxygen, source, out, repository_url):
    """Every public name of a contract is documented. (The grader's own parts need not be.)"""
    contracts = sorted(source.glob("lessons/*/*.hpp"))
    strict = {
        "INPUT": quoted(path.relative_to(source).as_posix() for path in contracts),
        "WARN_IF_UNDOCUMENTED": "YES",
        "GENERATE_HTML": "NO",
        "GENERATE_TAGFILE": f'"{out}/contracts.tag"',  # Doxygen refuses to write nothing at all
    }
    doxyfile = out / "Doxyfile.contracts"
    text = (out / "Doxyfile").read_text(encoding="utf-8")
    text += "".join(f"{name} = {value}\n" for name, value in strict.items())
    doxyfile.write_text(text, encoding="utf-8")
    run([doxygen, str(doxyfile)], source, repository_url)


def write_frame(doxygen, source, out, theme, repository_url):
    """Writes the header and footer of every page: those of the Doxygen at hand, with the icon and
    the theme's scripts added. So nothing in the repository depends on Doxygen's version."""
    header = out / "header.html"
    footer = out / "footer.html"
    run(
        [
            doxygen,
            "-w",
            "html",
            str(header),
            str(footer),
            str(out / "unused.css"),
            str(out / "Doxyfile"),
        ],
        source,
        repository_url,
    )
    added = ['<link rel="icon" type="image/svg+xml" href="$relpath^logo.svg"/>']
    if theme:
        added += [f'<script src="$relpath^{name}"></script>' for name in THEME_SCRIPTS]
        calls = "".join(f"{name}.init();" for name in THEME_SCRIPTS.values())
        added += [f"<script>{calls}</script>"]
    text = header.read_text(encoding="utf-8")
    if "</head>" not in text:
        raise Failure(f"{header} has no </head>")
    header.write_text(text.replace("</head>", "\n".join(added) + "\n</head>", 1), encoding="utf-8")


def build(source, out, doxygen, theme, repository_url):
    """Builds the site and returns the path of its first page."""
    out.mkdir(parents=True, exist_ok=True)
    html = out / "html"
    if (html / "doxygen.css").is_file():  # ours, from an earlier run
        shutil.rmtree(html)
    # `doxygen -w` reads the Doxyfile, which names the header that it is about to write.
    for name in ("header.html", "footer.html"):
        (out / name).touch()
    doxyfile = write_doxyfile(source, out, theme)
    check_contracts(doxygen, source, out, repository_url)
    write_frame(doxygen, source, out, theme, repository_url)
    run([doxygen, str(doxyfile)], source, repository_url)
    return html / "index.html"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--source", required=True, type=pathlib.Path, help="top folder of the repository"
    )
    parser.add_argument("--out", required=True, type=pathlib.Path, help="folder to write to")
    parser.add_argument(
        "--doxygen", default="doxygen", help="the doxygen program (default: %(default)s)"
    )
    parser.add_argument(
        "--theme",
        default=THEME_FOLDER,
        type=pathlib.Path,
        help="folder of doxygen-awesome-css (default: %(default)s; without it: plainer)",
    )
    parser.add_argument(
        "--repository-url",
        default="",
        help="where links to files outside the site go, e.g. https://…/blob/main; "
        "without it they become plain text",
    )
    options = parser.parse_args()
    theme = options.theme if (options.theme / THEME_STYLES[0]).is_file() else None
    try:
        first_page = build(
            options.source.resolve(),
            options.out.resolve(),
            options.doxygen,
            theme,
            options.repository_url,
        )
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    print(first_page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
