#!/usr/bin/env python3
"""Checks every HTML page that the tree has or the program writes: well formed, nothing fetched from elsewhere, nothing executed.

Usage: pages_test.py PLIMSOLL SOURCE_DIR. Pages of the program are made from the traces in SOURCE_DIR/tests/data.
"""
import html.parser
import re
import subprocess
import sys
import tempfile
from pathlib import Path

VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
# Elements that run something, embed something or send something away.
FORBIDDEN = {"script", "iframe", "object", "embed", "form", "base", "applet", "frame"}
FETCHING = {"src", "srcset", "poster", "data", "background", "action", "formaction", "xlink:href"}
# Closed by what follows them, as HTML allows.
OPTIONAL_END = {"p", "li", "td", "th", "tr", "thead", "tbody", "dt", "dd", "option"}


def check_css(css, where, problems):
    text = re.sub(r"/\*.*?\*/", "", css, flags=re.S)
    depth = 0
    for number, line in enumerate(text.splitlines(), 1):
        for c in re.sub(r'"[^"]*"|\'[^\']*\'', "", line):
            depth += {"{": 1, "}": -1}.get(c, 0)
            if depth < 0:
                problems.append(f"{where}: CSS line {number}: a brace too many")
                return
    if depth:
        problems.append(f"{where}: CSS: {depth} braces are not closed")
    for used in re.findall(r"url\(([^)]*)\)|@import\s+([^;]+)", text):
        target = "".join(used).strip("\"' ")
        if not target.startswith(("data:", "#")):
            problems.append(f"{where}: CSS fetches {target}")
    defined = set(re.findall(r"(--[\w-]+)\s*:", text))
    for name in set(re.findall(r"var\((--[\w-]+)\)", text)) - defined:
        problems.append(f"{where}: CSS uses {name}, which nothing sets")


class Page(html.parser.HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.path, self.problems, self.open = path, [], []
        self.ids, self.links, self.seen, self.doctype, self.title = set(), [], set(), "", ""

    def say(self, text):
        self.problems.append(f"{self.path}:{self.getpos()[0]}: {text}")

    def handle_decl(self, decl):
        self.doctype = decl.lower()

    def handle_starttag(self, tag, attrs):
        self.take(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.take(tag, attrs)

    def take(self, tag, attrs):
        self.seen.add(tag)
        if tag in FORBIDDEN:
            self.say(f"<{tag}> is not allowed")
        if len({name for name, _ in attrs}) < len(attrs):
            self.say(f"<{tag}> has an attribute twice")
        values = {name: value or "" for name, value in attrs}
        for name, value in values.items():
            if name.startswith("on") or "javascript:" in value.lower():
                self.say(f"<{tag}> runs a script in {name}")
            if name in FETCHING and not value.startswith(("data:", "#")):
                self.say(f"<{tag}> fetches {value}")
            if name == "style":
                check_css("x{" + value + "}", f"{self.path}:{self.getpos()[0]}", [] if "var(" in value else self.problems)
        if tag == "link":
            self.say(f"<link> fetches {values.get('href')}")
        if "id" in values:
            if values["id"] in self.ids:
                self.say(f"the id {values['id']} stands there twice")
            self.ids.add(values["id"])
        if tag == "a" and "href" in values:
            self.links.append((self.getpos()[0], values["href"]))
        if tag == "img" and "alt" not in values:
            self.say("<img> without alt")
        if tag == "html" and not values.get("lang"):
            self.say("<html> without lang")
        if tag == "meta" and "charset" in values:
            self.seen.add("charset")

    def handle_endtag(self, tag):
        while self.open and self.open[-1] != tag and self.open[-1] in OPTIONAL_END:
            self.open.pop()
        if not self.open or self.open[-1] != tag:
            self.say(f"</{tag}> closes {'<' + self.open[-1] + '>' if self.open else 'nothing'}")
        else:
            self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            check_css(data, self.path, self.problems)
        if self.open and self.open[-1] == "title":
            self.title += data

    def finish(self):
        self.close()
        left = [tag for tag in self.open if tag not in OPTIONAL_END]
        if left:
            self.problems.append(f"{self.path}: not closed: {', '.join(left)}")
        if self.doctype != "doctype html":
            self.problems.append(f"{self.path}: no <!doctype html>")
        if "charset" not in self.seen:
            self.problems.append(f"{self.path}: no charset")
        if not self.title.strip():
            self.problems.append(f"{self.path}: no title")
        for line, href in self.links:
            if href.startswith("#"):
                if href[1:] not in self.ids:
                    self.problems.append(f"{self.path}:{line}: {href} leads nowhere")
            elif not re.match(r"[a-z]+:", href) and not (Path(self.path).parent / href.split("#")[0]).exists():
                self.problems.append(f"{self.path}:{line}: there is no {href}")
        return self.problems


def check(path, text):
    page = Page(str(path))
    page.feed(text)
    return page.finish()


GOOD = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>t</title><style>a{b:c}</style></head><body>%s</body></html>'
BAD = ["<p><b></p>", "<div>", "</div>", "<script>1</script>", '<img src="http://x/y.png" alt="">', '<p onclick="x()">', '<a href="#no">a</a>',
       '<link rel="stylesheet" href="x.css">', "<style>a{b:c</style>", "<style>a{b:url(http://x)}</style>", "<style>@import 'x';</style>",
       "<style>a{b:var(--none)}</style>", '<p id="a"></p><p id="a"></p>', '<a href="javascript:1">a</a>', '<a href="gone.html">a</a>',
       '<img src="data:,x">', '<iframe src="data:,x"></iframe>', '<p class="a" class="b"></p>']


def check_itself():
    """A checker that finds nothing is worth nothing."""
    wrong = check("good", GOOD % '<p>a<p>b<ul><li>c</ul><svg><rect width="1"/></svg><a href="https://example.org/">out</a>')
    for body in BAD:
        if not check("bad", GOOD % body):
            wrong.append(f"the checker passes {body}")
    for page in (GOOD.replace("<!doctype html>", ""), GOOD.replace(' lang="en"', ""), GOOD.replace("<title>t</title>", "")):
        if not check("bad", page % ""):
            wrong.append(f"the checker passes {page}")
    return wrong


def write_pages(plimsoll, data, folder):
    traces = [f"{c}={data}/c{c}.json.gz" for c in (1, 2, 4)]
    for command in (["profile", f"{data}/c4.json.gz", "--output_dir", "profile", "--all"],
                    ["sizing", "forecast", "--traces", *traces, "--limits", f"{data}/limits.yml", "--users", "8,16", "--slo",
                     "p95 workflow < 60s", "--draws", "3", "--report", "forecast.html"]):
        done = subprocess.run([plimsoll, *command], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 3):  # 3: the forecast refuses to say how many, and draws what it knows
            sys.exit(f"plimsoll {' '.join(command)} ended with {done.returncode}\n{done.stderr}")


def main(plimsoll, source):
    problems = check_itself()
    with tempfile.TemporaryDirectory() as folder:
        write_pages(plimsoll, f"{source}/tests/data/forecast_real", folder)
        ours = sorted(Path(folder).rglob("*.html"))
        if len(ours) < 2:
            sys.exit(f"the program wrote only {ours}")
        examples = sorted(Path(source, "examples").rglob("*.html"))
        for path in ours + examples:
            problems += check(path, path.read_text(encoding="utf-8"))
    print("\n".join(problems[:100]) or f"{len(ours)} pages of the program and {len(examples)} of the examples are clean")
    sys.exit(bool(problems))


main(*sys.argv[1:])
