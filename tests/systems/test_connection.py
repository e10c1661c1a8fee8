from __future__ import annotations

from typing import Any

import pytest

from cshub.core.errors import ConnectionSpecError
from cshub.systems.connection import ConnectionFields
from cshub.systems.http import HttpPolicy

DEFAULT = "https://api.totango.com"


def fields(**values: Any) -> ConnectionFields:
    return ConnectionFields("totango_default", **values)


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({}, DEFAULT),
        ({"host": "  "}, DEFAULT),
        ({"host": "api.example.com"}, "https://api.example.com"),
        ({"host": "api.example.com", "port": 443}, "https://api.example.com"),
        ({"host": "api.example.com", "port": 0}, "https://api.example.com"),
        ({"host": "api.example.com", "port": 8443}, "https://api.example.com:8443"),
        ({"host": "https://api.example.com/"}, "https://api.example.com"),
        ({"host": "http://127.0.0.1:8086"}, "http://127.0.0.1:8086"),
        ({"host": "http://127.0.0.1:8086", "port": 443}, "http://127.0.0.1:8086"),
        ({"host": "http://127.0.0.1", "port": 8086}, "http://127.0.0.1:8086"),
        ({"host": "127.0.0.1", "port": 8086, "scheme": "http"}, "http://127.0.0.1:8086"),
        ({"host": "https://proxy.example/totango", "port": 8443}, "https://proxy.example:8443/totango"),
        ({"host": "http://[::1]:8086"}, "http://[::1]:8086"),
    ],
)
def test_host_and_port_become_an_address(values: dict[str, Any], url: str) -> None:
    assert fields(**values).base_url(DEFAULT) == url


@pytest.mark.parametrize("host", ["ftp://x", "http://", "://x"])
def test_a_host_that_is_no_web_address_is_refused_with_an_example(host: str) -> None:
    with pytest.raises(ConnectionSpecError, match=r"totango_default.*Write it like https://api.totango.com"):
        fields(host=host).base_url(DEFAULT)


def test_a_missing_token_says_where_it_belongs() -> None:
    with pytest.raises(ConnectionSpecError, match="put it into the password field"):
        fields(token="  ").required_token()


def test_a_token_is_not_shown_and_its_digest_tells_nothing() -> None:
    connection = fields(token="very-secret", extra={"webhook_secret": "hush"})
    assert "very-secret" not in repr(connection)
    assert "hush" not in repr(connection)
    assert len(connection.token_digest()) == 16
    assert connection.token_digest() == fields(token=" very-secret\n").token_digest()


def test_settings_are_read_by_name_whatever_their_form() -> None:
    extra = {
        "connect_timeout_s": "5",
        "read_timeout_s": 7,
        "verify_tls": "false",
        "calls_per_minute": 50,
        "region": "eu",
    }
    connection = fields(extra=extra)
    policy = connection.policy(HttpPolicy())
    assert (policy.connect_s, policy.read_s, policy.verify) == (5.0, 7.0, False)
    assert connection.calls_per_minute(100) == 50
    assert connection.choice("region", {"US": 1, "EU": 2}, "US") == 2


def test_settings_that_are_empty_are_as_if_they_were_not_there() -> None:
    extra = {
        "connect_timeout_s": None,
        "read_timeout_s": "",
        "verify_tls": None,
        "calls_per_minute": None,
        "region": "",
    }
    connection = fields(extra=extra)
    assert connection.policy(HttpPolicy()) == HttpPolicy()
    assert connection.calls_per_minute(100) == 100
    assert connection.choice("region", {"US": 1, "EU": 2}, "US") == 1


@pytest.mark.parametrize(
    "extra",
    [
        {"connect_timeout_s": "soon"},
        {"connect_timeout_s": 0},
        {"read_timeout_s": True},
        {"read_timeout_s": "nan"},
        {"verify_tls": "perhaps"},
    ],
)
def test_a_wrong_setting_is_named_with_what_it_may_be(extra: dict[str, Any]) -> None:
    with pytest.raises(ConnectionSpecError, match=f"{next(iter(extra))} is .* it must be"):
        fields(extra=extra).policy(HttpPolicy())


def test_a_wrong_region_lists_the_right_ones() -> None:
    with pytest.raises(ConnectionSpecError, match="region is 'AP'; it must be one of US, EU"):
        fields(extra={"region": "AP"}).choice("region", {"US": 1, "EU": 2}, "US")
