"""Keeps secrets out of everything that people or logs may see."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

HIDDEN = "***"
_HEADERS = re.compile(
    r"((?:proxy-)?authorization|app-token|x-ziaccesstoken|(?:set-)?cookie)"
    r"(['\"]?\s*[:=]\s*['\"]?)(?:(?:bearer|basic|app-token)\s+)?[^\s'\",;}]+",
    re.IGNORECASE,
)
_WHOLE_WORD_BELOW = 4


class Redactor:
    """Replaces secrets in texts, in plain, URL-encoded and JSON-escaped form, and the values of token headers."""

    __slots__ = ("_secrets",)

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        ordered = sorted(forms, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(_pattern, ordered)), re.IGNORECASE) if ordered else None

    def __call__(self, text: str) -> str:
        if self._secrets is not None:
            text = self._secrets.sub(HIDDEN, text)
        return _HEADERS.sub(rf"\1\2{HIDDEN}", text)

    def __repr__(self) -> str:
        return "Redactor(***)"

    def is_told_by(self, error: BaseException | None) -> bool:
        """Whether the text of ``error``, or of any error behind it, holds something to hide."""
        seen: set[int] = set()
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            text = f"{error} {error!r}"
            if self(text) != text:
                return True
            error = error.__cause__ or error.__context__
        return False


def _forms(secret: str) -> set[str]:
    bare = secret.strip()
    forms = {
        secret,
        bare,
        quote(bare, safe=""),
        quote(bare),
        quote_plus(bare),
        json.dumps(bare)[1:-1],
        repr(bare)[1:-1],
    }
    return {form for form in forms if form}


def _pattern(form: str) -> str:
    escaped = re.escape(form)
    return rf"\b{escaped}\b" if len(form) < _WHOLE_WORD_BELOW else escaped
