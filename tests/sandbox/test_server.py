"""The sandbox behind real ports: answers, and faults of the transport as a real client meets them."""

from __future__ import annotations

import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests

from cshub_sandbox.testing import RunningSandbox

ME = "/api/v1/users/me"


def connect(sandbox: RunningSandbox) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(sandbox.chorus.url).netloc, timeout=5)


def get(sandbox: RunningSandbox, path: str = ME, **options: object) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(
            sandbox.chorus.url + path,
            headers={"Authorization": sandbox.chorus.token},
            timeout=5,
            **options,  # type: ignore[arg-type]
        )


def test_a_connection_is_kept_alive_over_many_calls(running: RunningSandbox) -> None:
    connection = connect(running)
    ports = set()
    for _ in range(3):
        connection.request("GET", ME, headers={"Authorization": running.chorus.token})
        response = connection.getresponse()
        assert response.status == 200 and response.read()
        ports.add(connection.sock.getsockname()[1])
    connection.close()
    assert len(ports) == 1


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("drop_before_commit", requests.ConnectionError),
        ("drop_after_commit", requests.ConnectionError),
        ("keep_alive_closed", requests.ConnectionError),
        ("truncated", requests.exceptions.ChunkedEncodingError),
        ("redirect_loop", requests.TooManyRedirects),
    ],
)
def test_a_transport_fault_is_what_a_client_really_meets(
    running: RunningSandbox, kind: str, error: type[Exception]
) -> None:
    running.control.add_fault(kind, count=1)
    with pytest.raises(error):
        get(running)
    assert get(running).status_code == 200


def test_a_reset_connection_is_told_from_one_closed_in_good_order(running: RunningSandbox) -> None:
    for kind, error in (
        ("drop_after_commit", ConnectionResetError),
        ("keep_alive_closed", http.client.RemoteDisconnected),
    ):
        running.control.clear_faults()
        running.control.add_fault(kind, nth=2)
        connection = connect(running)
        for _ in range(2):
            connection.request("GET", ME, headers={"Authorization": running.chorus.token})
            try:
                connection.getresponse().read()
            except OSError as problem:
                assert type(problem) is error
                break
        else:
            raise AssertionError("the connection did not end")
        connection.close()


def test_a_lost_answer_leaves_the_work_done(running: RunningSandbox) -> None:
    meeting = running.sandbox.world.meetings[0].id
    running.control.add_fault("drop_after_commit", only_writes=True, nth=1)
    connection = connect(running)
    connection.request("DELETE", f"/v3/engagements/{meeting}", headers={"Authorization": running.chorus.token})
    with pytest.raises(ConnectionResetError):
        connection.getresponse()
    connection.close()
    assert running.control.state("chorus")["deleted"] == [meeting]
    entry = running.control.log("chorus", writes=True)[0]
    assert (entry["fault"], entry["committed"], entry["status"]) == ("drop_after_commit", True, 202)


def test_a_slow_answer_and_a_trickle_outlast_an_impatient_client(running: RunningSandbox) -> None:
    running.control.add_fault("slow", delay_s=0.3, count=1)
    started = time.monotonic()
    assert get(running).status_code == 200
    assert time.monotonic() - started >= 0.3
    running.control.add_fault("trickle", delay_s=0.01, path="/api/v1/filters")
    assert get(running, "/api/v1/filters").json() == {"data": []}


def test_other_services_and_calls_go_on_while_one_answer_is_slow(running: RunningSandbox) -> None:
    running.control.add_fault("slow", delay_s=1.5, count=1)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(get, running)
        while not running.control.log():
            time.sleep(0.01)
        assert get(running).status_code == 200
        assert not slow.done()
        assert slow.result().status_code == 200


def test_a_large_body_is_read_in_full(running: RunningSandbox) -> None:
    response = requests.post(
        running.chorus.url + "/v3/webhook",
        json={"event": "recording_done", "hook_url": "x" * 2_000_000},
        headers={"Authorization": running.chorus.token},
        timeout=10,
    )
    assert response.status_code == 200


def test_media_is_downloaded_through_the_redirect(running: RunningSandbox) -> None:
    meeting = running.sandbox.world.cases["html_summary"][0]
    response = get(running, f"/api/v1/conversations/{meeting}/media")
    assert response.status_code == 200 and response.headers["Content-Type"] == "video/mp4"
    assert response.history[0].status_code == 302


def test_a_thousand_small_calls_take_seconds_not_minutes(running: RunningSandbox) -> None:
    connection = connect(running)
    started = time.monotonic()
    for _ in range(1000):
        connection.request("GET", "/api/v1/filters", headers={"Authorization": running.chorus.token})
        connection.getresponse().read()
    connection.close()
    assert time.monotonic() - started < 10
