from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cshub.core.errors import DataError
from cshub.core.ids import (
    has_lost_its_case,
    is_salesforce_id,
    loose_form,
    may_be_same_salesforce_id,
    same_salesforce_id,
    to_18,
)

FIFTEEN = st.from_regex(r"001[0-9A-Za-z]{12}", fullmatch=True).filter(str.isascii)


def test_the_checksum_tells_which_letters_are_upper_case() -> None:
    assert to_18("0015g00000XyZ12") == "0015g00000XyZ12AAF"


@given(FIFTEEN)
def test_an_id_that_lost_its_case_gets_it_back(fifteen: str) -> None:
    eighteen = to_18(fifteen)
    assert to_18(eighteen) == eighteen
    assert to_18(eighteen.lower()) == eighteen
    assert to_18(eighteen.upper()) == eighteen


@given(FIFTEEN)
def test_all_forms_of_one_id_are_the_same_record(fifteen: str) -> None:
    assert same_salesforce_id(fifteen, to_18(fifteen).lower())
    assert same_salesforce_id(to_18(fifteen), fifteen)


def test_ids_that_differ_only_in_case_are_different_records() -> None:
    assert not same_salesforce_id("0015g00000XyZ12", "0015g00000XYZ12")
    assert not same_salesforce_id("0015g00000XyZ12", "ACME-17")


@pytest.mark.parametrize(
    "value", ["", "ACME-17", "0015g00000XyZ1", "northwindtrader", "0015g00000XyZ12AAB", "001٣g00000XyZ12"]
)
def test_other_ids_are_not_taken_for_salesforce_ids(value: str) -> None:
    assert not is_salesforce_id(value)


def test_a_wrong_id_is_refused_with_the_next_step() -> None:
    with pytest.raises(DataError, match="15 characters"):
        to_18("ACME-17")


@given(FIFTEEN)
def test_an_id_in_lower_case_fits_its_record_in_every_form(fifteen: str) -> None:
    lowered = fifteen.lower()
    for form in (fifteen, to_18(fifteen), to_18(fifteen).lower(), to_18(fifteen).upper(), lowered):
        assert may_be_same_salesforce_id(lowered, form)
        assert may_be_same_salesforce_id(form, lowered)
        assert loose_form(form) == lowered


@given(FIFTEEN, FIFTEEN)
def test_ids_fit_only_where_one_is_the_other_or_has_lost_its_case(left: str, right: str) -> None:
    fits = may_be_same_salesforce_id(left, right)
    if has_lost_its_case(left) or has_lost_its_case(right):
        assert fits == (left.lower() == right.lower())
    else:
        assert fits == same_salesforce_id(left, right)
    if same_salesforce_id(left, right):
        assert fits


@given(FIFTEEN)
def test_an_id_of_18_characters_never_loses_its_case(fifteen: str) -> None:
    assert not has_lost_its_case(to_18(fifteen))
    assert not has_lost_its_case(to_18(fifteen).lower())


def test_two_records_whose_ids_differ_in_case_alone_both_fit_the_id_in_lower_case() -> None:
    lowered = "00u5g0000103zd6"
    assert has_lost_its_case(lowered)
    assert all(may_be_same_salesforce_id(lowered, to_18(key)) for key in ("00U5g0000103zD6", "00U5g0000103zd6"))
    assert not may_be_same_salesforce_id("00U5g0000103zD6", "00U5g0000103zd6")


@pytest.mark.parametrize("value", ["", "ACME-17", "northwindtrader", "900000000000123", "00U5g0000103zD6"])
def test_what_has_a_capital_or_no_letters_or_another_form_has_not_lost_its_case(value: str) -> None:
    assert not has_lost_its_case(value)
