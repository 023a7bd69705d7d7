"""HTML mail as the words that its sender saw: by inscriptis, after what is hidden was taken out; pure."""

from __future__ import annotations

import re
from typing import Any

from inscriptis import Inscriptis
from inscriptis.css_profiles import STRICT_CSS_PROFILE
from inscriptis.model.config import ParserConfig
from lxml import etree, html

from . import letters

LONGEST = 2_000_000
MOST_TAGS = 30_000
"""What stands behind them is older than anything new in a mail."""
BEGINS, ENDS = "\ue000", "\ue001"
"""Stand around a quotation until its lines are marked; private letters, which no mail keeps."""
SKIPPED = {"script", "style", "head", "title", "template", "noscript", "object", "iframe", "svg", "math", "select"}
# A table is padded to its widest cell, for each row: one long cell would fill the memory.
LAID_OUT = {"table": "div", "tbody": "div", "thead": "div", "tfoot": "div", "tr": "div", "td": "span", "th": "span"}
COLOURS = {"white": (255, 255, 255), "black": (0, 0, 0), "transparent": None}
Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)

_ZERO = r"0*(?:\.0*)?0(?:px|pt|em|rem|%|ex)?"
HIDING = re.compile(
    r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|mso-hide\s*:\s*all|"
    rf"font(?:-size)?\s*:\s*(?:{_ZERO}|0?\.\d+(?:px|pt)|1px)(?=\s|;|/|!|$)|opacity\s*:\s*0*(?:\.0+)?0*(?=\s|;|!|$)|"
    rf"(?:max-)?(?:height|width)\s*:\s*{_ZERO}(?=\s|;|!|$)|text-indent\s*:\s*-\d{{3,}}|"
    r"(?:left|top|margin-left|margin-top)\s*:\s*-\d{3,}|clip\s*:\s*rect\(\s*0|clip-path\s*:\s*inset\(\s*(?:50|100)%)"
)


def text(source: str) -> str:
    """The words of an HTML mail; lines of what it quotes begin with ``>``. Never raises."""
    source = "<".join(letters.clean(source[:LONGEST]).split("<", MOST_TAGS)[:MOST_TAGS])
    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    try:
        tree = html.document_fromstring(source.encode("utf-8"), parser=parser)
    except (etree.LxmlError, ValueError):
        return ""
    hidden = _hidden_names(tree)
    _prepare(tree, hidden)
    config = ParserConfig(css=STRICT_CSS_PROFILE, display_links=False, display_images=False)
    try:
        words = Inscriptis(tree, config).get_text()
    except RecursionError:
        words = " ".join(str(piece) for piece in tree.itertext())
    return _quoted(words)


def _hidden_names(tree: Any) -> set[str]:
    """Selectors (``.class``, ``#id``) that the mail's own style sheet hides on every screen."""
    sheet = "".join((style.text or "")[:50_000] for style in tree.iter("style"))[:50_000].lower()
    sheet = re.sub(r"/\*.*?\*/|<!--|-->", "", sheet, flags=re.DOTALL)
    sheet = re.sub(r"@[^{};]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "", sheet)
    found: set[str] = set()
    for rule in sheet.split("}"):
        selectors, _brace, rules = rule.partition("{")
        if HIDING.search(rules[:2000]):
            last = (selector.strip().rpartition(" ")[2] for selector in selectors.split(","))
            found |= {name for name in last if re.fullmatch(r"[.#][\w-]+", name)}
    return found


def _prepare(tree: Any, hidden: set[str]) -> None:
    """Take out what nobody sees, mark quotations, turn tables into lines, drop all attributes."""
    # colours that hold at an element: of its words and of what is behind them
    shown: dict[Any, tuple[Colour | None, Colour | None]] = {}
    gone: list[Any] = []
    skip: set[Any] = set()
    for node in tree.iter():
        parent = node.getparent()
        if parent in skip:
            skip.add(node)
            continue
        if not isinstance(node.tag, str) or node.tag in SKIPPED:
            gone.append(node)
            skip.add(node)
            continue
        style = (node.get("style") or "")[:2000].lower()
        names = {f".{name}" for name in (node.get("class") or "")[:500].lower().split()}
        names.add(f"#{(node.get('id') or '').lower()}")
        words, behind = shown.get(parent, (None, WHITE))
        words = _colour(style, r"color") or _named(node.get("color")) or words
        behind = _colour(style, r"background(?:-color)?") or _named(node.get("bgcolor")) or behind
        shown[node] = words, behind
        unseen = words is not None and behind is not None and _alike(words, behind)
        unseen = unseen or node.get("hidden") is not None or bool(HIDING.search(style) or names & hidden)
        if unseen and node is not tree and node.tag != "body":
            gone.append(node)
            skip.add(node)
            continue
        if node.tag == "blockquote" and (node.get("type") == "cite" or any("quote" in name for name in names)):
            node.text = f"{BEGINS}{node.text or ''}"
            _say_last(node, ENDS)
        node.tag = LAID_OUT.get(node.tag, node.tag)
        if node.tag == "span" and node.getnext() is not None:
            node.tail = f" {node.tail or ''}"
        node.attrib.clear()
    for node in gone:
        _empty(node)


def _say_last(node: Any, words: str) -> None:
    if len(node):
        node[-1].tail = f"{node[-1].tail or ''}{words}"
    else:
        node.text = f"{node.text or ''}{words}"


def _empty(node: Any) -> None:
    """Take out what a node holds and leave what stands after it."""
    tail = node.tail
    node.clear()
    node.tag, node.tail = "span", tail


def _quoted(words: str) -> str:
    out: list[str] = []
    depth = 0
    for line in words.split("\n"):
        for piece in re.split(f"([{BEGINS}{ENDS}])", line):
            if piece in {BEGINS, ENDS}:
                depth = max(0, depth + (1 if piece == BEGINS else -1))
            elif piece.strip() or line == piece:
                out.append(f"{'>' * min(depth, 20)} {piece.strip()}" if depth else piece.rstrip())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.strip(" ") for line in out))


def _colour(style: str, name: str) -> Colour | None:
    found = re.search(rf"(?:^|;)\s*{name}\s*:\s*([^;]{{1,40}})", style)
    return _named(found[1]) if found else None


def _named(value: str | None) -> Colour | None:
    value = (value or "").strip().lower().removesuffix("!important").strip()
    if found := re.fullmatch(r"#?([0-9a-f])([0-9a-f])([0-9a-f])", value):
        red, green, blue = (int(digit * 2, 16) for digit in found.groups())
        return red, green, blue
    if found := re.fullmatch(r"#?([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})", value):
        red, green, blue = (int(pair, 16) for pair in found.groups())
        return red, green, blue
    if found := re.match(r"rgba?\(\s*(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})", value):
        red, green, blue = (int(number) for number in found.groups())
        return red, green, blue
    return COLOURS.get(value)


def _alike(one: Colour, other: Colour) -> bool:
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) < 24
