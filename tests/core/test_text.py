from __future__ import annotations

import re
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cshub.core.text import (
    clean_text,
    has_markup,
    html_to_text,
    length,
    loose_form,
    normalise_text,
    truncate,
    without_active_markup,
    wrap_html,
)

TEXTS = st.text(st.characters(codec="utf-8"), max_size=60) | st.text("ab <>/&;bripdlt\n", max_size=60)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("Team agreed.<br>Budget is open.", "Team agreed.\nBudget is open."),
        ("<p>one</p><p>two &amp; three</p>", "one\ntwo & three"),
        ("<div>one</div><ul><li>two</li><li>three</li></ul>", "one\n\ntwo\n\nthree"),
        ("<script>alert(1)</script>kept", "kept"),
        ("first\r\nsecond  \n", "first\nsecond"),
        ("&nbsp;x&nbsp;", "x"),
    ],
)
def test_markup_becomes_lines_of_plain_text(html: str, text: str) -> None:
    assert html_to_text(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('<a href="https://x.example">text</a>', "text (https://x.example)"),
        ("See <a class=b href='https://x.example/a?b=1&amp;c=2'><b>the</b> plan</a>.",
         "See the plan (https://x.example/a?b=1&c=2)."),
        ("<A HREF=https://x.example target=_blank>one</A>, <a href=http://y.example>two</a>",
         "one (https://x.example), two (http://y.example)"),
        ('<a href="https://x.example/">https://x.example</a>', "https://x.example"),
        ('<a href="https://www.x.example/">X.example</a>', "X.example"),
        ('<a href="mailto:ada@x.example">ada@x.example</a>', "ada@x.example"),
        ('<a href="mailto:ada@x.example">Ada</a>', "Ada (mailto:ada@x.example)"),
        ('<p><a href="https://x.example"><img src="y"></a></p>', "https://x.example"),
        ('<a href="https://x.example"><p>one</p></a>two', "one (https://x.example)\ntwo"),
        ('<a href="#top">up</a> <a href="javascript:x()">run</a> <a name="n">here</a>', "up run here"),
        ('<a href="https://x.example">never closed', "never closed"),
        ("<script>'<a href=\"https://x.example\">no</a>'</script>kept", "kept"),
    ],
)  # fmt: skip
def test_a_link_keeps_its_address_unless_its_text_is_it(html: str, text: str) -> None:
    assert html_to_text(html) == text
    assert html_to_text(text) == text


@given(
    st.sampled_from(["https://x.example/a", "http://y.example/?a=1&b=2", "mailto:ada@x.example", "#top", "/plan"]),
    TEXTS.filter(lambda text: "<" not in text and "&" not in text),
)
def test_a_text_with_a_link_that_is_sent_back_is_no_edit(address: str, text: str) -> None:
    html = f'<p>Before <a href="{escape(address)}">{escape(text)}</a> after</p>'
    plain = html_to_text(html)
    assert html_to_text(plain) == plain
    assert normalise_text(plain) == normalise_text(html) == normalise_text(wrap_html(html))
    assert normalise_text(wrap_html(plain)) == normalise_text(html)


def test_many_links_without_an_end_are_read_quickly() -> None:
    assert "text" in html_to_text('<a href="https://x.example">' * 20_000 + "text")


@pytest.mark.parametrize("text", ["a < b", "5<6 and 7>6", "Ada <ada@seller.example>", "x << y", "<3"])
def test_angle_brackets_that_are_no_tag_survive(text: str) -> None:
    assert html_to_text(text) == text
    assert not has_markup(text)


def test_entities_are_decoded_once() -> None:
    assert html_to_text("a &amp;lt; b") == "a &lt; b"
    assert html_to_text("<b>a &amp;lt; b</b>") == "a &lt; b"


def test_wrapped_html_reads_back_as_the_same_text() -> None:
    for text in ("a < b & c", "one\ntwo", "<p>one</p><p>two</p>", "<b>bold</b> and <script>x</script>"):
        assert normalise_text(wrap_html(text)) == normalise_text(text)


@given(TEXTS)
def test_wrapping_twice_changes_nothing(text: str) -> None:
    once = wrap_html(text)
    assert wrap_html(once) == once


@pytest.mark.parametrize("opening", ["<script>", "<STYLE a=b>", "<!-- ", "<textarea>"])
def test_markup_that_never_ends_hides_nothing(opening: str) -> None:
    text = f"Please add the {opening} sign to the page"
    assert "to the page" in html_to_text(text)
    assert normalise_text(text) != normalise_text(f"{text} today")
    assert normalise_text(wrap_html(text)).endswith("to the page")
    assert "kept" in html_to_text(f"<script>gone</script>kept {opening} this")
    assert "gone" not in html_to_text(f"<script>gone</script>kept {opening} this")


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '<a href="javascript:alert(1)">press</a>',
    '<a href="&#106;avascript:alert(1)">press</a>',
    '<b onclick="alert(1)">bold</b>',
    "<p style='background:url(https://x.example)'>styled</p>",
    '<math><mi xlink:href="data:x">x</mi></math>',
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_page_would_run_or_load_is_taken_out_of_rich_text(text: str) -> None:
    wrapped = wrap_html(f'<div class="html-parser-container">Before {text} <b>after</b></div>')
    for safe in (wrapped, without_active_markup(f"Before {text} <b>after</b>")):
        assert not re.search(r"<(script|img|svg|math|p)|<[^>]*(script:|data:|onclick|style)", safe), safe
        assert "Before" in safe and "<b>after</b>" in safe


@pytest.mark.parametrize("text", ["a < b", "<b>bold</b>", "Ada <ada@x.example>", "if (a<b && c=d)", "data: 5", "x=&y"])
def test_text_without_active_markup_stays_as_it_is(text: str) -> None:
    assert without_active_markup(text) == text


def test_wrapping_drops_scripts_and_event_handlers() -> None:
    wrapped = wrap_html('<b onclick="x()">hi</b><script>alert(1)</script><iframe src="x"></iframe>')
    assert wrapped == '<div class="html-parser-container"><b>hi</b></div>'


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Met with the team.\n", "Met with the team."),
        ("one<br>two", "one\ntwo"),
        ("caf\u00e9", "cafe\u0301"),
        ("a &amp; b", "a & b"),
        ("a\u00a0 b\t\nc", "a b c"),
        (None, ""),
        ('<div class="html-parser-container">a &lt;script&gt;x&lt;/script&gt; b</div>', "a <script>x</script> b"),
    ],
)
def test_texts_that_a_service_may_have_rewritten_compare_equal(left: str | None, right: str | None) -> None:
    assert normalise_text(left) == normalise_text(right)


def test_careless_stripping_of_brackets_is_seen_through_by_the_loose_form() -> None:
    assert loose_form("We said: a < b, and c > d.") == loose_form("We said a  d")


@given(TEXTS)
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise_text(text)
    assert normalise_text(once) == once


@given(TEXTS)
def test_wrapping_plain_text_keeps_what_it_says(text: str) -> None:
    assert normalise_text(wrap_html(text)) == normalise_text(text)


def test_nul_and_lone_surrogates_are_taken_out_and_counted() -> None:
    text, removed = clean_text("a\x00b\ud800c\udfff\x00")
    assert (text, removed.nul, removed.surrogates) == ("abc", 2, 2)
    assert removed
    assert clean_text("plain 😀") == ("plain 😀", clean_text("x")[1])


@given(st.text(max_size=50), st.integers(1, 40))
def test_a_cut_text_fits_and_starts_like_the_whole(text: str, limit: int) -> None:
    cut, was_cut = truncate(text, limit, "…")
    assert length(cut) <= limit
    assert was_cut == (length(text) > limit)
    assert text.startswith(cut.removesuffix("…")) if was_cut else cut == text


def test_a_cut_never_splits_an_emoji_or_an_accent() -> None:
    assert truncate("👍🏽" * 3, 7, "…") == ("👍🏽…", True)
    assert truncate("e\u0301" * 4, 4, "…") == ("e\u0301…", True)


def test_an_emoji_counts_two_characters() -> None:
    assert length("a😀") == 3


def test_a_marker_longer_than_the_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="larger limit"):
        truncate("abcdef", 2, "[cut]")
