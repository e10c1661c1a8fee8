from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cshub.core.errors import DataError
from cshub.core.ids import is_salesforce_id, same_salesforce_id, to_18

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
