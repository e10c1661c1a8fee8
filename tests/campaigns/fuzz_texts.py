"""Texts of every kind that services and people put into fields, and what may be said of them after a sync.

A poison text is wrapped in two plain words that nothing else holds, so that it is found again whatever became of it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from html import unescape
from html.parser import HTMLParser
from random import Random

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_HIDDEN = re.compile(r"<(script|style)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")
_ACTIVE_TAGS = re.compile(
    "applet|audio|base|button|embed|form|frame|iframe|img|input|link|math|meta|object|script|style|svg|video"
)
_LOADS = frozenset({"href", "src", "action", "formaction", "xlink:href", "data"})
_SAFE_SCHEMES = frozenset({"", "http", "https", "mailto"})


class Faith(StrEnum):
    """How exactly a text must arrive."""

    LETTERS = "letters"  # every letter and digit, in order
    BOTH_ENDS = "both ends"  # the words before and after it: markup inside may vanish or be written out
    BEGINNING = "beginning"  # the word before it: its markup never ends


@dataclass(frozen=True, slots=True)
class Poison:
    """A text for a field. ``first`` and ``last`` are the plain words around it; blank texts have none."""

    kind: str
    text: str
    faith: Faith
    first: str = ""
    last: str = ""

    @property
    def is_blank(self) -> bool:
        return not self.first

    def held_as(self, text: str | None) -> Poison:
        """The same, as the service that was given it keeps it."""
        text = text or ""
        if text == self.text:
            return self
        if self.first.lower() not in _letters(text):
            return Poison(self.kind, text, Faith.BEGINNING)
        faith = self.faith if _letters(text) == _letters(self.text) else Faith.BEGINNING
        return Poison(self.kind, text, faith, self.first, self.last)


_HOSTILE_PARTS = (
    "<script>alert(1)</script>",
    "<ScRiPt src=//x.example/a.js></sCrIpT>",
    '<img src=x onerror="alert(1)">',
    "<svg/onload=alert(1)>",
    '<a href="javascript:alert(1)">press</a>',
    '<a href="data:text/html;base64,PHNjcmlwdD4=">press</a>',
    '<iframe src="https://x.example"></iframe>',
    '<div class="html-parser-container"><script>alert(1)</script></div>',
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    '<b onmouseover="alert(1)">bold</b>',
    '<form action="https://x.example"><input name=a></form>',
    "<style>*{background:url(javascript:alert(1))}</style>",
    '<math><mi//xlink:href="data:x,<script>alert(1)</script>">',
    '"><script>alert(1)</script>',
    "<!--><img src=x onerror=alert(1)>-->",
    "<p style='background:url(https://x.example)'>styled</p>",
    "<base href='https://x.example/'>",
    "<meta http-equiv=refresh content='0;url=https://x.example'>",
)
_HTML_PARTS = (
    "<p>one</p><p>two &amp; three</p>",
    "<br>",
    "<ul><li>first</li><li>second</li></ul>",
    "<b>bold</b> and <i>slanted</i>",
    '<a href="https://x.example/?a=1&amp;b=2">the plan</a>',
    "<table><tr><td>cell</td></tr></table>",
    "&nbsp;&eacute;&#128512;&#x41;",
)
_ENDLESS = ("<script>", "<!-- never closed", "<style>", "<div ", "<a href='", "<textarea>", "<title>", "<![CDATA[")
_EMOJI = ("👩🏽‍💻", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "❤️", "1️⃣", "🧑🏿‍🚀", "😀")
_RIGHT_TO_LEFT = ("שלום עולם", "مرحبا بالعالم", "\u202eback\u202c", "\u2067isolated\u2069", "אבג 123 abc")
_FORMULAS = (
    '=HYPERLINK("https://x.example","press")',
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1;2)",
    "\t=1+1",
    "\r=1+1",
)
_COMBINING = ("e\u0301", "n\u0303", "Z\u0351\u036b\u0343\u036a", "\u1100\u1161\u11a8", "ﬁ", "Å", "İ", "ß", "ǅ")
_SPACES = (
    "\u00a0",
    "\u2003",
    "\u200b",
    "\u2028",
    "\u2029",
    "\ufeff",
    "\t",
    "\r\n",
    "\r",
    "\n\n\n\n",
    "\x0b",
    "\x0c",
    "\x85",
)
_QUERIES = (
    "' OR Id != '",
    "\\",
    '"',
    "%' AND Name LIKE '%",
    "{{ds}}",
    "${HOME}",
    "%s %d",
    "{0}",
    "$(id)",
    "`id`",
    "\\u0000",
)
_SIGNS = (
    "a < b",
    "5 > 3 & 2",
    "Ada <ada@seller.example>",
    "x << y",
    "<3",
    "if (a<b) {c>d}",
    "R&D",
    "&amp;amp;",
    "&copy",
)


def _some(rng: Random, parts: tuple[str, ...], most: int = 6) -> str:
    return " ".join(rng.choice(parts) for _ in range(rng.randint(1, most)))


def _control(rng: Random) -> str:
    return "".join(f"w{chr(rng.randrange(1, 32))}" for _ in range(rng.randint(1, 12)))


def _any_characters(rng: Random) -> str:
    planes = ((0x20, 0x7E), (0xA0, 0x2FF), (0x370, 0x1FFF), (0x2000, 0x2FFF), (0x3040, 0xD7FF), (0xE000, 0x1FAFF))
    return "".join(chr(rng.randint(*rng.choice(planes))) for _ in range(rng.randint(1, 200)))


def _words(count: int) -> str:
    return ("lorem ipsum dolor " * (count // 18 + 1))[:count]


_KINDS: Mapping[str, tuple[Faith, Callable[[Random], str]]] = {
    "plain": (Faith.LETTERS, lambda rng: _words(rng.randint(1, 80))),
    "13,000 characters": (Faith.LETTERS, lambda rng: _words(rng.choice((11_990, 12_000, 12_001, 13_000, 31_990)))),
    "13,000 emoji": (Faith.LETTERS, lambda rng: rng.choice(_EMOJI) * rng.choice((1_500, 13_000))),
    "one megabyte": (Faith.LETTERS, lambda rng: rng.choice(("ä", "x", "語")) * 1_000_000),
    "at the limit": (Faith.LETTERS, lambda rng: _words(rng.randint(225, 262))),
    "lone surrogates": (Faith.LETTERS, lambda rng: _some(rng, ("a\ud83d", "\udc00b", "\ud800\ud800", "\udfff"))),
    "NUL": (Faith.LETTERS, lambda rng: _some(rng, ("a\x00b", "\x00", "c\x00\x00"))),
    "control characters": (Faith.LETTERS, _control),
    "right to left": (Faith.LETTERS, lambda rng: _some(rng, _RIGHT_TO_LEFT)),
    "emoji": (Faith.LETTERS, lambda rng: _some(rng, _EMOJI, 40)),
    "formulas": (Faith.LETTERS, lambda rng: _some(rng, _FORMULAS, 1)),
    "combining marks": (Faith.LETTERS, lambda rng: _some(rng, _COMBINING, 20)),
    "white space": (Faith.LETTERS, lambda rng: "x".join(rng.choice(_SPACES) for _ in range(rng.randint(2, 9)))),
    "query signs": (Faith.LETTERS, lambda rng: _some(rng, _QUERIES)),
    "any characters": (Faith.BOTH_ENDS, _any_characters),
    "signs like tags": (Faith.BOTH_ENDS, lambda rng: _some(rng, _SIGNS)),
    "HTML": (Faith.BOTH_ENDS, lambda rng: _some(rng, _HTML_PARTS)),
    "script": (Faith.BOTH_ENDS, lambda rng: _some(rng, _HOSTILE_PARTS)),
    "markup without end": (Faith.BEGINNING, lambda rng: f"{_some(rng, _HOSTILE_PARTS, 2)} {rng.choice(_ENDLESS)}"),
}
_WRAPPED = '<div class="html-parser-container">{}</div>'
_BLANK = ("", " ", "\n", "\u00a0", "<p></p>", "\x00")
KINDS = (*_KINDS, "wrapped script", "blank")


class Kitchen:
    """Makes poison texts, each with words of its own. The same seed makes the same texts."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._made = 0
        self._decks: dict[str, list[str]] = {}

    def text(self, place: str = "", *, most: int | None = None, kinds: tuple[str, ...] = KINDS) -> Poison:
        """A text of one of ``kinds``; each comes once in a ``place`` before any comes again.

        ``most``: characters that the field takes, longer ones are cut before.
        """
        rng, deck = self._rng, self._decks.setdefault(place, [])
        if not deck:
            deck += rng.sample(kinds, len(kinds))
        kind = deck.pop()
        if kind == "blank":
            return Poison(kind, rng.choice(_BLANK), Faith.LETTERS)
        self._made += 1
        first, last = f"First{self._made}q", f"Last{self._made}q"
        if kind == "wrapped script":
            text = _WRAPPED.format(f"{first} {_some(rng, _HOSTILE_PARTS)} <b>fat</b> {last}")
            return Poison(kind, text, Faith.BEGINNING, first, last)
        faith, cook = _KINDS[kind]
        glue = rng.choice((" ", "\n"))
        lead = f"{cook(rng)}{glue}" if kind == "formulas" else ""
        text = f"{lead}{first}{glue}{'' if lead else cook(rng)}{glue}{last}"
        if most is not None and len(text) > most:
            return Poison(kind, text[:most], Faith.BEGINNING, first, last)
        return Poison(kind, text, faith, first, last)


def arrived(given: Poison, held: str | None, *, limit: int | None) -> str | None:
    """Why ``held`` is not what became of ``given`` in a field that takes ``limit`` characters; None when it is."""
    text = held or ""
    if limit is not None and len(text) > limit:
        return f"{len(text)} characters are held where {limit} are documented"
    if _UNSTORABLE.search(text):
        return "what is held has a NUL or a lone surrogate"
    if given.is_blank:
        return None if not _letters(text) else f"blank text has become {text[:80]!r}"
    if given.first.lower() not in _letters(text):
        return f"the beginning is lost: {text[:80]!r}"
    fits = limit is None or _utf16(given.text) <= limit
    if given.faith is Faith.BEGINNING or (given.faith is Faith.BOTH_ENDS and not fits):
        return None
    if given.faith is Faith.BOTH_ENDS:
        return None if given.last.lower() in _letters(text) else f"the end is lost: …{text[-80:]!r}"
    wanted, found = _letters(given.text), _letters(text.replace("[cut]", ""))
    if fits:
        return None if wanted == found else f"letters differ: {found[:80]!r}, not {wanted[:80]!r}"
    assert limit is not None
    if not wanted.startswith(found):
        return f"a cut text is no beginning of what was given: {found[-80:]!r}"
    return None if len(text) > limit * 0.4 else f"more was cut than had to be: {len(text)} of {limit} are left"


def live_markup(text: str) -> list[str]:
    """Tags, attributes and addresses in rich text that run, load or send something."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader.found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if _ACTIVE_TAGS.fullmatch(tag):
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            scheme = "".join((value or "").split()).partition(":")[0].lower() if ":" in (value or "") else ""
            if name.startswith("on") or name == "style" or (name in _LOADS and scheme not in _SAFE_SCHEMES):
                self.found.append(f"<{tag} {name}={value!r}>")


def _letters(text: str) -> str:
    """Letters and digits outside tags, scripts and comments, without case and however Unicode writes them."""
    text = _UNSTORABLE.sub("", text)
    for _ in range(2):
        text = _TAG.sub("", _COMMENT.sub("", _HIDDEN.sub("", unescape(text))))
    return "".join(sign for sign in unicodedata.normalize("NFC", text).casefold() if sign.isalnum())


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
