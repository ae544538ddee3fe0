#!/usr/bin/python3
"""Walks through the built site in a headless Chromium, as a reader would.

    browse.py --site build/site/html [--screenshots build/screenshots]

Clicks every page in the order of the sidebar, looks at each wide and narrow, light and dark, and
reports, one line each: dead links and anchors, missing pictures, errors on the console, pages that
are wider than the screen, a search that does not find, a switch for dark mode that does not switch.
Exit status 1 on any; 77 (skipped) without Chromium, chromedriver or Selenium: Debian's packages
chromium, chromium-driver and python3-selenium.

The site is served on a free port of the loopback interface; nothing else is asked for.
"""

import argparse
import contextlib
import functools
import html.parser
import http.server
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import threading
import time
import urllib.parse

try:
    from selenium import webdriver
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait
except ImportError:
    webdriver = None

SKIPPED = 77
WIDE = (1280, 900)
NARROW = (390, 844)
TIME_LIMIT_SECONDS = 600
WAIT_SECONDS = 30
SCREENSHOT_HEIGHT_MAX = 6000
REFERENCE_PAGES_MAX = 12  # looked at in the browser; the links of every page are checked anyway

CHROMIUM_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

# What is wider than the screen although nothing round it scrolls.
WIDER_THAN_SCREEN = """
const limit = document.documentElement.clientWidth + 1;
const scrolls = e => ['auto', 'scroll', 'hidden', 'overlay'].includes(getComputedStyle(e).overflowX);
const found = [];
for (const e of document.querySelectorAll('#top *, #doc-content *')) {
  const box = e.getBoundingClientRect();
  if (box.width === 0 || box.height === 0 || box.right <= limit) continue;
  let p = e.parentElement;
  while (p && p.id !== 'doc-content' && p !== document.body && !scrolls(p)) p = p.parentElement;
  if (p && (p.id === 'doc-content' || p === document.body)) {
    found.push(e.tagName.toLowerCase() + (e.className.baseVal ?? (e.className ? '.' + e.className : '')));
  }
}
const content = document.getElementById('doc-content');
const page = Math.max(document.documentElement.scrollWidth, content ? content.scrollWidth : 0);
return {page: page, limit: limit, found: found.slice(0, 3)};
"""

BROKEN_PICTURES = """
return [...document.images].filter(i => i.complete && i.naturalWidth === 0 && i.offsetParent !== null)
                           .map(i => i.getAttribute('src'));
"""

# Markdown or commands that Doxygen has left as they are.
LEFT_OVER = """
const walker = document.createTreeWalker(document.querySelector('.contents') || document.body,
                                         NodeFilter.SHOW_TEXT);
const found = [];
for (let node; (node = walker.nextNode());) {
  if (node.parentElement.closest('code, tt, pre, svg, script, style, .fragment, .memproto')) continue;
  const match = node.data.match(/.{0,20}(`|\\*\\*|\\]\\(|[@\\\\](sub|)(page|ref)|&[a-z]+;|\\{#).{0,20}/);
  if (match) found.push(match[0].trim());
}
return found;
"""

FULL_HEIGHT = """
const content = document.getElementById('doc-content');
const top = document.getElementById('top');
const above = innerWidth < 768 && top ? top.offsetHeight : 0;
return (content ? content.scrollHeight : document.documentElement.scrollHeight) + above;
"""

SIDEBAR = """
return [...document.querySelectorAll('#nav-tree-contents a[href]')]
  .filter(a => a.offsetParent !== null && a.textContent.trim() !== '' && !a.href.startsWith('javascript'))
  .map(a => [a.textContent.trim(), a.href]);
"""


class PageReader(html.parser.HTMLParser):
    """Collects the targets of links and pictures of a page, and its anchors."""

    def __init__(self):
        super().__init__()
        self.targets = []
        self.anchors = set()
        self.is_in_summary = False

    def handle_endtag(self, tag):
        if tag == "div":
            self.is_in_summary = False

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag == "div" and values.get("class") == "summary":
            # Doxygen's row of links to the parts of a page: not shown here, and not always right.
            self.is_in_summary = True
        if self.is_in_summary:
            return
        for name in ("id", "name"):
            if values.get(name) and (name == "id" or tag == "a"):
                self.anchors.add(values[name])
        target = values.get("href") if tag in ("a", "link") else values.get("src")
        if target:
            self.targets.append(target)


def dead_links(site):
    """Everything in the site's files that leads to something that is not there."""
    pages = {}
    for path in sorted(site.rglob("*.html")):
        reader = PageReader()
        reader.feed(path.read_text(encoding="utf-8", errors="replace"))
        pages[path.resolve()] = reader
    found = {}  # what is wrong: the pages where it is
    for path, reader in pages.items():
        for target in reader.targets:
            parts = urllib.parse.urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            name = urllib.parse.unquote(parts.path)
            goal = (path.parent / name).resolve() if name else path
            if not goal.exists():
                found.setdefault(f"dead link to {target}", set()).add(path.name)
            elif parts.fragment and goal in pages:
                if urllib.parse.unquote(parts.fragment) not in pages[goal].anchors:
                    found.setdefault(f"dead anchor in {target}", set()).add(path.name)
    return [
        f"{min(names)}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {what}"
        for what, names in sorted(found.items())
    ]


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the site and notes what was asked for in vain."""

    def log_message(self, *_):
        pass

    def send_error(self, code, message=None, explain=None):
        self.server.refused.append(f"{code} for {self.path}")
        super().send_error(code, message, explain)


@contextlib.contextmanager
def served(site):
    """The site on a free port of the loopback interface; yields its URL and the list of refusals."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(site))
    )
    server.refused = []
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", server.refused
    finally:
        server.shutdown()
        server.server_close()
        thread.join(WAIT_SECONDS)


def descendants(pid):
    """The processes that `pid` has started, and those that they have started."""
    children = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = []
    pending = [pid]
    while pending:
        below = children.get(pending.pop(), [])
        found += below
        pending += below
    return found


@contextlib.contextmanager
def browser(chromium, chromedriver):
    """A Chromium with a fresh profile; it and all that it started are gone afterwards."""
    profile = tempfile.mkdtemp(prefix="browse-")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in CHROMIUM_FLAGS + (f"--user-data-dir={profile}", "--window-size=%d,%d" % WIDE):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = Service(chromedriver)
    started = []
    driver = None
    try:
        driver = webdriver.Chrome(service=service, options=options)
        started = descendants(service.process.pid)
        driver.set_page_load_timeout(WAIT_SECONDS)
        driver.set_script_timeout(WAIT_SECONDS)
        yield driver
    finally:
        if service.process:
            started += descendants(service.process.pid) + [service.process.pid]
        if driver:
            with contextlib.suppress(Exception):
                driver.quit()
        for pid in started:  # usually all gone by now
            with contextlib.suppress(OSError):
                if b"chrom" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)
        shutil.rmtree(profile, ignore_errors=True)


class Walk:
    """One walk through the site; `faults` grows."""

    def __init__(self, driver, url, screenshots, is_plain):
        self.driver = driver
        self.url = url
        self.screenshots = screenshots
        self.is_plain = is_plain
        self.faults = []

    # ---- tools

    def fault(self, where, what):
        self.faults.append(f"{where}: {what}")

    def wait_until(self, condition, seconds=WAIT_SECONDS):
        """Whether `condition` holds before long."""
        try:
            WebDriverWait(self.driver, seconds, poll_frequency=0.05).until(lambda _: condition())
            return True
        except WebDriverException:
            return False

    def show(self, size, scheme):
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {
                "features": [
                    {"name": "prefers-color-scheme", "value": scheme},
                    {"name": "prefers-reduced-motion", "value": "reduce"},
                ]
            },
        )
        self.resize(*size)

    def resize(self, width, height):
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 768},
        )

    def go(self, address):
        self.driver.get(urllib.parse.urljoin(self.url, address))
        self.settle()

    def settle(self):
        self.wait_until(
            lambda: self.driver.execute_script(
                "return document.readyState === 'complete' && (!window.jQuery || jQuery.isReady)"
            )
        )

    def sidebar(self):
        """The visible entries of the sidebar, [title, address]; one of a page's sections is no page."""
        self.wait_until(lambda: self.driver.execute_script(SIDEBAR))
        entries = self.driver.execute_script(SIDEBAR)
        return [entry for entry in entries if "#" not in entry[1]]

    def script(self, code, *arguments):
        return self.driver.execute_script(code, *arguments)

    def shoot(self, name, size):
        """A picture of the whole page, for whoever wants to look at it."""
        if self.screenshots is None:
            return
        height = min(max(size[1], self.script(FULL_HEIGHT)), SCREENSHOT_HEIGHT_MAX)
        self.resize(size[0], height)
        self.driver.save_screenshot(str(self.screenshots / f"{name}.png"))
        self.resize(*size)

    def check_console(self, where):
        for entry in self.driver.get_log("browser"):
            if entry["level"] in ("SEVERE", "WARNING"):
                self.fault(where, f"console: {entry['message']}")

    # ---- what is checked

    def check_page(self, name, size, scheme):
        where = f"{name} ({size[0]} px, {scheme})"
        for picture in self.script(BROKEN_PICTURES):
            self.fault(where, f"missing picture {picture}")
        for words in self.script(LEFT_OVER):
            self.fault(name, f"Markdown that was not understood: {words}")
        measured = self.script(WIDER_THAN_SCREEN)
        is_too_wide = measured["page"] > measured["limit"] or measured["found"]
        if is_too_wide and not self.is_plain:  # plain Doxygen does not care for narrow screens
            self.fault(where, "wider than the screen: {page} px, {found}".format(**measured))
        if not self.is_plain:
            look = "return document.documentElement.classList.contains('dark-mode')"
            if not self.wait_until(lambda: self.script(look) == (scheme == "dark"), 1):
                self.fault(where, "does not follow the system's colour scheme")
        self.check_console(where)

    def check_sidebar_pages(self):
        """Clicks through the sidebar, then looks at the same pages on a narrow screen."""
        self.show(WIDE, "light")
        self.go("index.html")
        pages = []
        done = set()
        reference_pages = 0
        while True:
            entry = next((one for one in self.sidebar() if one[1] not in done), None)
            if entry is None:
                break
            title, address = entry
            done.add(address)
            name = urllib.parse.urlsplit(address).path.rpartition("/")[2] or "index.html"
            reference_pages += self.is_reference(name)
            if self.is_reference(name) and reference_pages > REFERENCE_PAGES_MAX:
                continue
            if not self.click_in_sidebar(title, address):
                self.fault(name, f'the sidebar\'s "{title}" does not lead there')
                continue
            if not self.is_reference(name):
                pages.append(name)
            self.check_page(name, WIDE, "light")
            if name in pages:
                self.shoot(f"{len(pages):02}-{name[:-5]}-wide-light", WIDE)
                self.show(WIDE, "dark")
                self.check_page(name, WIDE, "dark")
                self.shoot(f"{len(pages):02}-{name[:-5]}-wide-dark", WIDE)
                self.show(WIDE, "light")
        for scheme in ("light", "dark"):
            for number, name in enumerate(pages, 1):
                self.show(NARROW, scheme)
                self.go(name)
                self.check_page(name, NARROW, scheme)
                self.shoot(f"{number:02}-{name[:-5]}-narrow-{scheme}", NARROW)
        return pages

    @staticmethod
    def is_reference(name):
        """Whether this is about one header, folder or type."""
        return name.startswith(("dir_", "class", "struct")) or name.endswith("_8hpp.html")

    def click_in_sidebar(self, title, address):
        for link in self.driver.find_elements(By.CSS_SELECTOR, "#nav-tree-contents a[href]"):
            if link.get_attribute("href") == address and link.is_displayed():
                self.script("arguments[0].scrollIntoView({block: 'center'})", link)
                link.click()
                came = self.wait_until(lambda: self.driver.current_url.partition("#")[0] == address)
                self.settle()
                heading = self.script(
                    "return document.querySelector('.title')?.textContent.trim() || ''"
                )
                return came and (title in heading or heading in title or heading.startswith(title))
        return False

    def check_lesson_links(self, pages):
        """The link to the next lesson leads through all lessons, in the order of the sidebar."""
        lessons = [name for name in pages if name.startswith("lesson-")]
        if len(lessons) < 2:
            return
        self.show(NARROW, "light")
        self.go(lessons[0])
        for name in lessons[1:]:
            links = self.driver.find_elements(By.CSS_SELECTOR, "nav.lesson-nav a.next")
            if not links:
                self.fault(lessons[0], f"no link to the next lesson on the way to {name}")
                return
            self.script("arguments[0].scrollIntoView({block: 'center'})", links[-1])
            links[-1].click()
            if not self.wait_until(lambda: self.driver.current_url.endswith("/" + name)):
                self.fault(
                    name, f"the next lesson is {self.driver.current_url.rpartition('/')[2]} instead"
                )
                return
            self.settle()
        self.check_console("from lesson to lesson")

    def check_search(self, words):
        for size in (WIDE, NARROW):
            self.show(size, "light")
            self.go("index.html")
            where = f'search for "{words}" ({size[0]} px)'
            field = self.driver.find_element(By.ID, "MSearchField")
            field.click()
            field.send_keys(words)
            if not self.wait_until(lambda: self.result_of_search(words)):
                self.fault(where, "finds nothing")
                continue
            if self.screenshots:
                self.driver.save_screenshot(str(self.screenshots / f"search-{size[0]}.png"))
            target = self.result_of_search(words)
            self.go(target)
            if words not in self.script("return document.body.textContent"):
                self.fault(where, f"leads to {target}, which does not have it")
            self.check_console(where)

    def result_of_search(self, words):
        """The address that the search offers for `words`; None so far."""
        return self.script(
            """
            const frame = document.getElementById('MSearchResults');
            const inside = frame && frame.contentDocument || document;
            for (const a of inside.querySelectorAll('.SRResult a.SRSymbol')) {
              const shown = a.closest('.SRResult').style.display !== 'none';
              if (shown && a.textContent.trim().startsWith(arguments[0])) {
                const links = [a, ...a.closest('.SRResult').querySelectorAll('a[href*=".html"]')];
                const link = links.find(l => (l.getAttribute('href') || '').includes('.html'));
                if (link) return new URL(link.getAttribute('href'), inside.baseURI).href;
              }
            }
            return null;
            """,
            words,
        )

    def check_dark_mode(self, pages):
        """The switch changes the colours, of figures too, and is remembered on the next page."""
        figure = None
        for name in pages:
            self.go(name)
            figure = self.script(
                "return document.querySelector('figure svg .paper') ? location.href : null"
            )
            if figure:
                break
        self.show(WIDE, "light")
        self.go(figure or "index.html")
        look = """
            const paper = document.querySelector('figure svg .paper');
            return [document.documentElement.classList.contains('dark-mode'),
                    getComputedStyle(document.body).backgroundColor,
                    paper ? getComputedStyle(paper).fill : null];
        """
        before = self.script(look)
        self.driver.find_element(By.TAG_NAME, "doxygen-awesome-dark-mode-toggle").click()
        self.wait_until(lambda: self.script(look)[0])
        after = self.script(look)
        if before[0] or not after[0] or before[1] == after[1]:
            self.fault("dark mode", f"the switch changes {before} to {after}")
        if figure and before[2] == after[2]:
            self.fault("dark mode", "the figure does not follow the switch")
        self.go("index.html")
        if not self.script(look)[0]:
            self.fault("dark mode", "the next page has forgotten it")
        self.driver.find_element(By.TAG_NAME, "doxygen-awesome-dark-mode-toggle").click()
        if not self.wait_until(lambda: not self.script(look)[0]):
            self.fault("dark mode", "cannot be switched off")
        self.check_console("dark mode")

    def check_folds(self, pages):
        """A hint opens when it is clicked, and by keyboard."""
        lesson = next((name for name in pages if name.startswith("lesson-")), None)
        if lesson is None:
            return
        self.show(WIDE, "light")
        self.go(lesson)
        folds = self.driver.find_elements(By.CSS_SELECTOR, "details")
        for fold, key in zip(folds, (None, Keys.ENTER)):
            summary = fold.find_element(By.TAG_NAME, "summary")
            self.script("arguments[0].scrollIntoView({block: 'center'})", summary)
            if fold.get_attribute("open"):
                self.fault(lesson, "a hint is open before it is asked for")
            if key:
                self.script("arguments[0].focus()", summary)
                summary.send_keys(key)
            else:
                summary.click()
            if not fold.get_attribute("open"):
                self.fault(lesson, "a hint does not open")

    def everything(self, words):
        pages = self.check_sidebar_pages()
        if not any(name.startswith("lesson-") for name in pages):
            self.fault("sidebar", "there is no lesson in it")
        self.check_lesson_links(pages)
        self.check_search(words)
        self.check_folds(pages)
        if not self.is_plain:
            self.check_dark_mode(pages)
        return pages


def stop_at_time_limit(*_):
    raise TimeoutError(f"the walk took more than {TIME_LIMIT_SECONDS} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--site", required=True, type=pathlib.Path, help="folder with index.html")
    parser.add_argument(
        "--screenshots", type=pathlib.Path, help="folder to write pictures of all pages to"
    )
    parser.add_argument(
        "--search", default="send_all", help="what the search must find (default: %(default)s)"
    )
    parser.add_argument("--plain", action="store_true", help="the site was built without the theme")
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    parser.add_argument("--chromedriver", default=shutil.which("chromedriver"))
    options = parser.parse_args()
    if webdriver is None or not options.chromium or not options.chromedriver:
        print("skipped: needs chromium, chromium-driver and python3-selenium")
        return SKIPPED
    if not (options.site / "index.html").is_file():
        print(f"{options.site}: there is no index.html", file=sys.stderr)
        return 1
    if options.screenshots:
        options.screenshots.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGALRM, stop_at_time_limit)
    signal.alarm(TIME_LIMIT_SECONDS)

    start = time.monotonic()
    faults = dead_links(options.site)
    pages = []
    try:
        with served(options.site) as (url, refused), browser(
            options.chromium, options.chromedriver
        ) as driver:
            walk = Walk(driver, url, options.screenshots, options.plain)
            try:
                pages = walk.everything(options.search)
            finally:
                faults += list(dict.fromkeys(walk.faults)) + sorted(set(refused))
    except (WebDriverException, TimeoutError) as error:
        faults.append(f"the walk broke off: {str(error).strip().splitlines()[0]}")
    for fault in faults:
        print(fault)
    print(f"{len(pages)} pages, {len(faults)} faults, {time.monotonic() - start:.0f} s")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
