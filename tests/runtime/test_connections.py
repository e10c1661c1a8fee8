import json

from cshub_runtime.connections import connection_to, connections, environment_of
from cshub_runtime.sandbox_process import SandboxAddresses

ORG = {
    "url": "http://s",
    "token": "t3",
    "client_id": "key",
    "client_secret": "hush",
    "domain": "acme.my",
    "username": "integration@x",
    "password": "pw",
    "security_token": "st",
}
LINE = json.dumps(
    {
        "chorus": {"url": "http://c", "token": "t1"},
        "totango": {"url": "http://t", "token": "t2"},
        "salesforce": ORG,
        "control": {"url": "x"},
    }
)
ADDRESSES = SandboxAddresses.parse(LINE)


def test_the_sandboxes_line_becomes_connections() -> None:
    assert ADDRESSES.control_url == "x"
    found = [(c.connection_id, c.conn_type, c.host, c.password) for c in connections(ADDRESSES)]
    assert found == [
        ("chorus_default", "chorus", "http://c", "t1"),
        ("totango_default", "totango", "http://t", "t2"),
        ("salesforce_default", "salesforce", None, None),
    ]


def test_salesforce_is_signed_in_to_with_client_credentials_at_the_sandboxes_address() -> None:
    found = connection_to(ADDRESSES.services["salesforce"], system="salesforce", connection_id="org")
    assert json.loads(found.extra or "") == {
        "domain": "acme.my",
        "consumer_key": "key",
        "consumer_secret": "hush",
        "endpoint_override": "http://s",
    }


def test_more_extras_are_added_to_those_of_signing_in() -> None:
    service = ADDRESSES.services["totango"]
    found = connection_to(service, system="totango", connection_id="b", more={"calls_per_minute": 9})
    assert json.loads(found.extra or "") == {"calls_per_minute": 9}


def test_a_connection_becomes_an_environment_variable_without_empty_fields() -> None:
    variables = dict(environment_of(connection) for connection in connections(ADDRESSES))
    assert json.loads(variables["AIRFLOW_CONN_CHORUS_DEFAULT"]) == {
        "conn_type": "chorus",
        "host": "http://c",
        "password": "t1",
    }
    org = json.loads(variables["AIRFLOW_CONN_SALESFORCE_DEFAULT"])
    assert set(org) == {"conn_type", "extra"}
    assert org["extra"]["consumer_secret"] == "hush"


def test_the_secrets_of_a_service_are_its_token_and_what_is_secret_of_its_sign_in() -> None:
    assert ADDRESSES.services["chorus"].secrets == ("t1",)
    assert set(ADDRESSES.services["salesforce"].secrets) == {"t3", "hush", "pw", "st"}
