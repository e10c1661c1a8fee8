from __future__ import annotations

import pytest
from sqlalchemy.dialects import sqlite

from cshub.core.records import LinkState
from cshub.ledger.columns import LinkStateCode


@pytest.mark.parametrize("state", LinkState)
def test_every_state_of_a_link_comes_back_as_it_was_stored(state: LinkState) -> None:
    code = LinkStateCode().process_bind_param(state, sqlite.dialect())
    read = LinkStateCode().result_processor(sqlite.dialect(), None)
    assert read(code) is state
