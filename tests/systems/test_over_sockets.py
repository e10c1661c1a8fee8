"""The same clients over real sockets, where slowness and broken connections are real."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from cshub.core.errors import AmbiguousWrite, ConnectionSpecError, ProtocolFault, ServiceUnavailable
from cshub.systems.chorus.client import ChorusClient, EngagementQuery
from cshub.systems.http import HttpPolicy, Wire
from cshub.systems.retry import RetryPolicy
from cshub.systems.totango.client import TotangoClient
from cshub.systems.totango.models import TouchpointFields
from cshub_sandbox.testing import RunningSandbox, start_sandbox

IMPATIENT = HttpPolicy(connect_s=1, read_s=1, deadline_s=0.5, retry=RetryPolicy(attempts=1))
PATIENT = HttpPolicy(retry=RetryPolicy(first_s=0.01))


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with start_sandbox(seed=5, accounts=8, meetings=30) as box:
        yield box


@pytest.fixture
def box(running: RunningSandbox) -> Iterator[RunningSandbox]:
    yield running
    running.control.clear_faults()


def chorus(box: RunningSandbox, policy: HttpPolicy = PATIENT, token: str | None = None) -> ChorusClient:
    return ChorusClient(token or box.chorus.token, base_url=box.chorus.url, wire=Wire(policy=policy))


def totango(box: RunningSandbox, policy: HttpPolicy = PATIENT) -> TotangoClient:
    return TotangoClient(box.totango.token, base_url=box.totango.url, wire=Wire(policy=policy))


def test_one_connection_is_kept_for_many_calls(box: RunningSandbox) -> None:
    client = totango(box)
    for _ in range(5):
        client.count_accounts()
    pools = client.http.session.get_adapter(client.http.base_url).poolmanager.pools  # type: ignore[attr-defined]
    (pool,) = [pools[key] for key in pools.keys()]  # noqa: SIM118
    assert pool.num_connections == 1
    client.close()


def test_an_answer_of_one_byte_at_a_time_ends_at_the_deadline(box: RunningSandbox) -> None:
    client = chorus(box, IMPATIENT)
    box.control.add_fault("trickle", delay_s=0.05, service="chorus")
    started = time.monotonic()
    with pytest.raises(ServiceUnavailable, match="not complete after"):
        client.engagements_page(EngagementQuery())
    assert time.monotonic() - started < 3
    client.close()


def test_a_service_that_does_not_answer_ends_at_the_read_time_out(box: RunningSandbox) -> None:
    client = totango(box, HttpPolicy(read_s=0.3, retry=RetryPolicy(attempts=1)))
    box.control.add_fault("slow", delay_s=1, service="totango")
    with pytest.raises(ServiceUnavailable, match="no answer came in time"):
        client.count_accounts()
    client.close()


@pytest.mark.parametrize("kind", ["drop_before_commit", "keep_alive_closed", "truncated", "cut_json", "html"])
def test_a_read_survives_a_broken_connection(box: RunningSandbox, kind: str) -> None:
    client = totango(box)
    expected = client.count_accounts()
    box.control.add_fault(kind, nth=1, service="totango")
    assert client.count_accounts() == expected
    assert client.calls == 3
    client.close()


@pytest.mark.parametrize("kind", ["drop_after_commit", "truncated"])
def test_a_create_over_a_broken_connection_is_ambiguous(box: RunningSandbox, kind: str) -> None:
    client = totango(box)
    account = next(client.search_accounts())[0].id
    before = len(box.control.state("totango")["touchpoints"])
    box.control.add_fault(kind, nth=1, only_writes=True, service="totango")
    with pytest.raises(AmbiguousWrite):
        client.create_touchpoint(account, TouchpointFields(subject="Lost", content="x"))
    assert len(box.control.state("totango")["touchpoints"]) == before + 1
    client.close()


def test_a_port_where_nobody_listens_is_unavailable_and_nothing_was_sent() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    client = TotangoClient("token", base_url=address, wire=Wire(policy=HttpPolicy(retry=RetryPolicy(attempts=1))))
    with pytest.raises(ServiceUnavailable, match="nothing was sent"):
        client.create_touchpoint("A", TouchpointFields(content="x"))
    client.close()


def test_a_delete_carries_its_body(box: RunningSandbox) -> None:
    client = totango(box)
    account = next(client.search_accounts())[0].id
    note_id = client.create_touchpoint(account, TouchpointFields(subject="S", content="x"))
    note = next(item for item in client.account_touchpoints(account) if item.note_id == note_id)
    client.delete_touchpoint(note_id, note.event_id)
    assert all(item.note_id != note_id for item in client.account_touchpoints(account))
    client.close()


def test_a_token_that_cannot_stand_in_a_header_is_a_fault_of_the_connection(box: RunningSandbox) -> None:
    client = chorus(box, token="two\nlines")
    with pytest.raises(ConnectionSpecError, match="one line"):
        client.me()


def test_the_web_app_instead_of_the_api_is_a_protocol_fault(box: RunningSandbox) -> None:
    client = chorus(box, HttpPolicy(retry=RetryPolicy(attempts=1)))
    box.control.add_fault("html", service="chorus")
    with pytest.raises(ProtocolFault, match="check the connection's host"):
        client.me()
    client.close()


def test_a_chunked_answer_without_end_meets_the_deadline() -> None:
    """One chunk every 50 ms, for ever."""
    import threading

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(5)
        stop = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                while not stop.wait(0.05):
                    try:
                        connection.sendall(b"1\r\n \r\n")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        client = ChorusClient(
            "token", base_url=f"http://127.0.0.1:{server.getsockname()[1]}", wire=Wire(policy=IMPATIENT)
        )
        with pytest.raises(ServiceUnavailable, match="not complete after"):
            client.me()
        stop.set()
        thread.join()
        client.close()
