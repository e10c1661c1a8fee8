"""Text as services write it: markup to plain text and back, cutting, cleaning, and the form for comparing."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from html import escape, unescape

import nh3

_NUL = "\x00"
_SURROGATE = re.compile("[\ud800-\udfff]")
_BLOCKS = "p|div|li|ul|ol|tr|table|h[1-6]|blockquote|pre|section|article|header|footer"
_BREAK = re.compile(rf"<br\b[^<>]*>|</(?:{_BLOCKS})\s*>|<(?:li|hr)\b[^<>]*>", re.IGNORECASE)
_TAGS = (
    "a|abbr|address|article|aside|b|blockquote|body|br|button|caption|center|cite|code|col|colgroup|dd|del|details|div|dl|"
    "dt|em|figcaption|figure|font|footer|form|h[1-6]|head|header|hr|html|i|iframe|img|input|ins|kbd|label|li|link|main|"
    "mark|meta|nav|object|ol|option|p|pre|q|s|script|section|select|small|span|strike|strong|style|sub|summary|sup|svg|"
    "table|tbody|td|textarea|tfoot|th|thead|time|title|tr|tt|u|ul|var|video"
)
_AFTER_BRACKET = rf"/?(?:{_TAGS})(?=[\s/>])[^<>]*>|!--[^<>]*-->|!doctype[^<>]*>"
_MARKUP = re.compile(f"<(?:{_AFTER_BRACKET})", re.IGNORECASE | re.DOTALL)
_NOT_MARKUP = re.compile(f"<(?!{_AFTER_BRACKET})", re.IGNORECASE | re.DOTALL)
_LINK = re.compile(
    r"""<a\s(?:[^<>]*?\s)?href\s*=\s*(?:"([^"<>]*)"|'([^'<>]*)'|([^\s"'<>]+))[^<>]*>((?:(?!<a\s).)*?)</a\s*>""",
    re.IGNORECASE | re.DOTALL,
)
_ADDRESS = re.compile(r"(?:https?://|mailto:)[^\s<>]+", re.IGNORECASE)
_SCHEME = re.compile(r"^(?:https?://(?:www\.)?|mailto:|www\.)", re.IGNORECASE)
_ANY_TAG = re.compile(r"<[a-zA-Z/!][^<>]*>")
_BRACKETS = re.compile(r"<[^<>]*>")
_WRAPPER = '<div class="html-parser-container">'
_CONTAINER = re.compile("<[^<>]*html-parser-container", re.IGNORECASE)
_KEPT_TAGS = {"a", "b", "br", "div", "em", "i", "li", "ol", "strong", "u", "ul"}
_ACTIVE = re.compile(
    r"<\s*/?(?:applet|audio|base|button|embed|form|frame|iframe|img|input|link|math|meta|object|script|style|svg|video)\b"
    r"|[\s/\"'](?:on[a-z]+|style|srcdoc)\s*=|=\s*[\"']?\s*(?:(?:javascript|vbscript|data)\s*:|&)",
    re.IGNORECASE,
)
_HIDING = tuple(  # elements whose content is no text
    (re.compile(f"<(?={name}\\b)", re.IGNORECASE), re.compile(f"</{name}\\b", re.IGNORECASE))
    for name in ("script", "style")
)
_SILENT = re.compile(r"<(script|style)\b[^<>]*>.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_LOST_BREAK = re.compile(r"</(?:p|tr|h[1-6]|blockquote|pre)\s*>", re.IGNORECASE)
_TRAILING_BLANKS = re.compile(r"[ \t\u00a0]+(?=\n)|[ \t\u00a0]+\Z")
_MANY_BREAKS = re.compile(r"\n{3,}")
_ROUNDS = 50
_ZERO_WIDTH_JOINER = "\u200d"
_EXTENDERS = re.compile("[\u200d\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]")


@dataclass(frozen=True, slots=True)
class Removed:
    """How many characters that no service can store were taken out of a text."""

    nul: int = 0
    surrogates: int = 0

    def __bool__(self) -> bool:
        return bool(self.nul or self.surrogates)


def clean_text(value: str) -> tuple[str, Removed]:
    """``value`` without NUL and without lone surrogates (they cannot be written as UTF-8), and what was removed."""
    nul = value.count(_NUL)
    if nul:
        value = value.replace(_NUL, "")
    if value.isascii():
        return value, Removed(nul)
    value, surrogates = _SURROGATE.subn("", value)
    return value, Removed(nul, surrogates)


def has_markup(value: str) -> bool:
    """Whether ``value`` holds an HTML tag that browsers know; ``a < b`` and ``<ada@x.example>`` do not count."""
    return "<" in value and _MARKUP.search(value) is not None


def html_to_text(value: str) -> str:
    """HTML as plain text: br, p, div, li and other blocks become line breaks, tags vanish, entities are decoded once.

    A link keeps its address, ``text (https://x.example)``, unless its text is the address. Scripts and styles vanish
    with their content, unless they never end. Angle brackets that are no known tag survive: ``a < b``,
    ``<ada@x.example>``. Plain text comes back as it is, apart from white space at line ends and at both ends.
    """
    value = clean_text(value)[0].replace("\r\n", "\n").replace("\r", "\n")
    if "<" in value:
        value = _LINK.sub(_linked, _BREAK.sub("\n", value))
        value = unescape(nh3.clean(_written_out(value), tags=set()))
    elif "&" in value:
        value = unescape(value)
    value = value.replace("\u00a0", " ")
    value = _TRAILING_BLANKS.sub("", value)
    return clean_text(_MANY_BREAKS.sub("\n\n", value))[0].strip()


def _written_out(value: str) -> str:
    """HTML in which signs that only look like markup are text: they hide nothing of what follows."""
    for opening, closing in _HIDING:
        last = max((found.start() for found in closing.finditer(value)), default=0)
        value = value[:last] + opening.sub("&lt;", value[last:])
    return _NOT_MARKUP.sub("&lt;", value)


def _linked(found: re.Match[str]) -> str:
    address = unescape(found[1] or found[2] or found[3] or "").strip()
    inner = found[4].rstrip()
    if not _ADDRESS.fullmatch(address):
        return found[4]
    text = " ".join(unescape(_BRACKETS.sub("", inner)).split())
    if _bare(text) == _bare(address):
        return found[4]
    told = escape(address, quote=False)
    return f"{inner} ({told}){found[4][len(inner) :]}" if text else told


def _bare(address: str) -> str:
    return _SCHEME.sub("", address).rstrip("/").casefold()


def wrap_html(value: str) -> str:
    """``value`` as the rich text that Totango keeps: inside its container element, line breaks as ``<br>``.

    Plain text is escaped; markup is reduced to links, emphasis, lists and blocks, also in a text that is wrapped
    already. Wrapping twice changes nothing. Source of the container: totango.md §3, row "HTML".
    """
    value = clean_text(value)[0].replace("\r\n", "\n").replace("\r", "\n")
    is_wrapped = value.startswith(_WRAPPER)
    if is_wrapped:
        value = value.removeprefix(_WRAPPER).removesuffix("</div>")
    body = _safe(value if is_wrapped or has_markup(value) else escape(value, quote=False))
    return f"{_WRAPPER}{body.strip().replace(chr(10), '<br>')}</div>"


def is_wrapped_html(value: str) -> bool:
    """Whether Totango may take ``value`` for rich text and keep its markup."""
    return _CONTAINER.search(value) is not None


def without_active_markup(value: str) -> str:
    """``value`` as it is, or as safe rich text where it holds markup that a page would run, load or send somewhere."""
    return _safe(value) if "<" in value and _ACTIVE.search(value) else value


def _safe(value: str) -> str:
    marked = _LOST_BREAK.sub("<br>", _written_out(value))
    return nh3.clean(marked, tags=_KEPT_TAGS, attributes={"a": {"href"}}, link_rel=None)


def normalise_text(value: str | None) -> str:
    """The form in which two texts are compared; None compares as empty.

    Survives what services do to a text: tags stripped or added, entities, trailing line breaks, white space of any
    kind and amount, Unicode in composed or decomposed form. Applying it twice changes nothing.
    """
    if not value:
        return ""
    text = value
    for _ in range(_ROUNDS):
        before, text = text, _plain_form(text)
        if text == before:
            break
    return text


def loose_form(value: str | None) -> str:
    """Only letters and digits outside angle brackets, without case: equal even after careless stripping of markup."""
    text = clean_text(value or "")[0]
    for _ in range(2):
        text = _BRACKETS.sub("", unescape(text))
    return "".join(letter for letter in unicodedata.normalize("NFC", text).casefold() if letter.isalnum())


def _plain_form(value: str) -> str:
    text = html_to_text(value)
    if "<" in text:
        text = _ANY_TAG.sub(" ", _SILENT.sub(" ", text))
    return " ".join(unicodedata.normalize("NFC", text).split())


def length(value: str) -> int:
    """Characters counted as UTF-16 units, as Java and browsers do: an emoji counts 2.

    The larger of the two counts in use: a text that fits by this count also fits a service that counts code points.
    """
    return len(value) if value.isascii() else len(value.encode("utf-16-le", "surrogatepass")) // 2


def truncate(value: str, limit: int, marker: str = "…") -> tuple[str, bool]:
    """``value`` cut to ``limit`` characters (as :func:`length` counts) including ``marker``, and whether it was cut.

    Never cuts inside a surrogate pair, nor between a letter and its combining marks, nor inside a joined emoji.
    Raises ``ValueError`` when the marker alone does not fit.
    """
    if length(value) <= limit:
        return value, False
    room = limit - length(marker)
    if room < 0:
        raise ValueError(f"the limit {limit} is shorter than the marker {marker!r}: give a larger limit")
    kept = value.encode("utf-16-le", "surrogatepass")[: room * 2].decode("utf-16-le", "ignore")
    end = len(kept)
    while end and _is_joined(value, end):
        end -= 1
    return value[:end] + marker, True


def _is_joined(value: str, at: int) -> bool:
    """Whether the character at ``at`` belongs to the one before it."""
    if at >= len(value):
        return False
    after, before = value[at], value[at - 1]
    return bool(unicodedata.combining(after) or _EXTENDERS.match(after)) or before == _ZERO_WIDTH_JOINER
