from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from cshub.cli.csv_text import cell
from cshub.cli.options import bounds_of, moment_of
from cshub.cli.personal import Mask, masked
from cshub.cli.screen import as_json_text, printable, shown
from cshub.cli.wording import RULES, STATES, duration
from cshub.core.planning import Rule
from cshub.core.records import LinkState

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_a_date_is_its_midnight_in_the_zone_of_the_hub() -> None:
    assert moment_of("2026-11-01", BERLIN, "--from") == datetime(2026, 10, 31, 23, tzinfo=UTC)


def test_a_time_with_a_zone_keeps_it() -> None:
    assert moment_of("2026-11-01T08:00Z", BERLIN, "--from") == datetime(2026, 11, 1, 8, tzinfo=UTC)


def test_a_window_of_two_dates_is_half_open() -> None:
    start, end = bounds_of("2026-11-01", "2026-11-08", BERLIN, now=NOW)
    assert start is not None and end is not None
    assert end - start == timedelta(days=7)


def test_a_window_without_an_end_ends_now() -> None:
    assert bounds_of("2026-11-01", None, BERLIN, now=NOW)[1] == NOW


def test_an_end_without_a_start_is_refused() -> None:
    with pytest.raises(typer.BadParameter):
        bounds_of(None, "2026-11-08", BERLIN, now=NOW)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_a_csv_cell_never_becomes_a_formula(text: str) -> None:
    assert cell(text) == f"'{text}"


@given(st.text())
def test_no_text_at_all_begins_as_a_formula(text: str) -> None:
    assert not cell(text).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_numbers_and_no_value_stay_what_they_are_in_csv() -> None:
    assert [cell(-1), cell(2.5), cell(None), cell(["a"])] == ["-1", "2.5", "", '["a"]']


def test_a_mask_leaves_the_first_letter_only() -> None:
    assert masked(["dana@vendor.example", None, ""]) == ["d•••", None, ""]
    assert Mask({"author"}).value("author", "dana") == "d•••"
    assert Mask({"author"}).value("subject / author", "dana") == "d•••"
    assert Mask({"author"}).value("subject", "Review") == "Review"


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert printable("a\x1b[31mb\x07") == "a�[31mb�"


def test_a_lone_surrogate_is_written_as_its_escape() -> None:
    assert as_json_text({"text": "\ud800"}).isascii()


def test_a_value_in_a_table_is_one_line() -> None:
    assert shown("a\nb" + "c" * 200, 10) == "a⏎bcccccc…"
    assert [shown(None), shown([]), shown(True), shown("")] == ["–", "(none)", "yes", '""']


def test_every_rule_and_every_state_has_words() -> None:
    assert set(RULES) == {rule.value for rule in Rule}
    assert set(STATES) == {state.value for state in LinkState}


def test_durations_are_told_in_the_largest_units_that_matter() -> None:
    assert [duration(4.4), duration(60), duration(200), duration(3900)] == ["4 s", "1 min", "3 min 20 s", "1 h 5 min"]
