"""What a rebuild makes of records whose link stands in doubt."""

from __future__ import annotations

from cshub.core.rebuilding import Clue, Match, Matching
from cshub.pipeline.standing import Standing

NOTHING = Matching([], {}, {})
IN_DOUBT = Standing(left=frozenset({"s1"}), right=frozenset({"t1"}), in_doubt=frozenset({"s1", "t1"}))


def test_what_belongs_to_a_record_in_doubt_is_in_doubt_too() -> None:
    more = Matching([Match("s1", "t2", Clue.EVERYTHING), Match("s3", "t3", Clue.EVERYTHING)], {}, {})
    assert IN_DOUBT.doubted(NOTHING, more) == Matching([], {}, {"t2": ["s1"]})


def test_what_may_belong_to_a_record_in_doubt_is_in_doubt_too() -> None:
    more = Matching([], {"s1": ["t2", "t3"], "s4": ["t3"]}, {"t2": ["s1"], "t3": ["s1", "s4"]})
    sure = Matching([], {"s4": ["t3"]}, {"t3": ["s4"]})
    assert IN_DOUBT.doubted(sure, more) == Matching([], {"s4": ["t3"]}, {"t2": ["s1"], "t3": ["s1", "s4"]})


def test_doubt_comes_from_either_side() -> None:
    more = Matching([Match("s2", "t1", Clue.TEXTS)], {"s3": ["t1"]}, {"t1": ["s3"]})
    assert IN_DOUBT.doubted(NOTHING, more) == Matching([], {"s2": ["t1"], "s3": ["t1"]}, {})


def test_two_records_whose_own_link_is_in_doubt_are_left_to_it() -> None:
    more = Matching([Match("s1", "t1", Clue.TEXTS)], {}, {})
    assert IN_DOUBT.doubted(NOTHING, more) == NOTHING
