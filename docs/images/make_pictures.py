"""Makes the pictures of the documentation again: starts the demo, runs its syncs, and photographs Airflow's pages.

    scripts/install-chromium.sh              (once; any Chromium will do: set CHROMIUM to its path)
    .venv/bin/python docs/images/make_pictures.py

Takes about six minutes: the demo keeps to Totango's limit of 100 calls a minute.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Page, sync_playwright

from cshub_runtime.acts import Services
from cshub_runtime.rest import AirflowRest
from cshub_runtime.sandbox_process import SandboxAddresses

HERE = Path(__file__).resolve().parent
JOB = "chorus_touchpoints_inbound"
GUARDED = "salesforce_touchpoints_outbound"
VANISHED = 6
SEARCH_LAG_S = 3.0
USER, PASSWORD = "admin", "cshub-demo"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"]
SETTLE_MS = 1500


@contextmanager
def demo() -> Iterator[tuple[str, str]]:
    """A demo that has done its syncs; the addresses of its Airflow and of its sandbox. It is stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="cshub-pictures-") as home:
        command = [sys.executable, "-u", "-m", "cshub_runtime", "demo", "--port", "0", "--home", home]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
            address = control = None
            try:
                for line in running.stdout or ():
                    print(line, end="")
                    if found := re.match(r"Airflow\s+(http://\S+)", line):
                        address = found[1]
                    if found := re.match(r"What they were asked\s+(http://\S+)/log", line):
                        control = found[1]
                    if line.startswith("Stays up"):
                        break
                if address is None or control is None:
                    raise SystemExit("The demo did not come up; see its lines above.")
                yield address, control
            finally:
                running.terminate()


def sign_in(page: Page, base_url: str) -> None:
    page.goto(f"{base_url}/")
    page.wait_for_url("**/auth/login**")
    page.fill("input[name=username]", USER)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: "/auth/login" not in url)


def first_run_of(base_url: str) -> str:
    """The run with the most to show: the first that wrote something."""
    rest = AirflowRest(base_url, USER, PASSWORD)
    try:
        run_ids = [str(run["dag_run_id"]) for run in rest.runs(JOB)]
        reports = {run_id: rest.xcom(JOB, run_id, "load") or {} for run_id in run_ids}
    finally:
        rest.close()
    return max(run_ids, key=lambda run_id: reports[run_id].get("stats", {}).get("created", 0))


def ask_for_approval(base_url: str, control_url: str) -> None:
    """Touchpoints vanish from Totango, so that the run out of it waits for a person."""
    services = Services(SandboxAddresses({}, control_url))
    for note_id in list(services.events_of_touchpoints())[:VANISHED]:
        services.act("totango", "delete_touchpoint", note_id=note_id)
    time.sleep(SEARCH_LAG_S)
    rest = AirflowRest(base_url, USER, PASSWORD)
    try:
        run_id = rest.trigger(GUARDED)
        deadline = time.monotonic() + 120
        while rest.task_states(GUARDED, run_id).get("approve") != "awaiting_input":
            if time.monotonic() > deadline:
                raise SystemExit(f"{GUARDED} {run_id} does not ask for an approval; its guard lets the plan pass.")
            time.sleep(1)
    finally:
        rest.close()


def dags(page: Page, base_url: str) -> None:
    """All jobs with their last runs."""
    page.goto(f"{base_url}/dags")
    page.wait_for_load_state("networkidle")


def approval(page: Page, base_url: str) -> None:
    """What a person sees who is asked whether records may be deleted."""
    rest = AirflowRest(base_url, USER, PASSWORD)
    try:
        run = quote(str(rest.runs(GUARDED)[-1]["dag_run_id"]), safe="")
    finally:
        rest.close()
    page.goto(f"{base_url}/dags/{GUARDED}/runs/{run}/tasks/approve/required_actions")
    page.get_by_role("button", name="Approve", exact=True).wait_for()


def dag(page: Page, base_url: str) -> None:
    """Grid of the runs at the left; their durations and asset events at the right."""
    page.goto(f"{base_url}/dags/{JOB}")
    page.wait_for_load_state("networkidle")


def graph(page: Page, base_url: str) -> None:
    """The steps of a run as a graph, with the state of each."""
    run = quote(first_run_of(base_url), safe="")
    page.goto(f"{base_url}/dags/{JOB}/runs/{run}")
    page.get_by_role("button", name=re.compile("^Show Graph")).click()
    page.wait_for_load_state("networkidle")


def load_xcom(page: Page, base_url: str) -> None:
    """The statistics of a run where Airflow itself shows them."""
    run = quote(first_run_of(base_url), safe="")
    page.goto(f"{base_url}/dags/{JOB}/runs/{run}/tasks/load/xcom")
    page.get_by_role("button", name=re.compile("^Show Grid")).click()
    page.get_by_role("button", name="Expand all extra JSON").click()


def trigger_form(page: Page, base_url: str) -> None:
    page.goto(f"{base_url}/dags/{JOB}")
    page.wait_for_load_state("networkidle")
    page.get_by_role("button", name=re.compile("^Trigger")).first.click()
    page.get_by_role("dialog").get_by_text("Window start").wait_for()


def connection_form(page: Page, base_url: str) -> None:
    page.goto(f"{base_url}/connections")
    page.wait_for_load_state("networkidle")
    page.get_by_role("button", name=re.compile("edit", re.IGNORECASE)).last.click()
    page.get_by_role("dialog").get_by_text("API token").wait_for()


def connection_form_more(page: Page, base_url: str) -> None:
    connection_form(page, base_url)
    page.get_by_role("dialog").get_by_role("button", name="Extra Fields", exact=True).click()


PICTURES: dict[str, tuple[Callable[[Page, str], None], tuple[int, int]]] = {
    "airflow-dags.png": (dags, (1440, 1140)),
    "airflow-dag.png": (dag, (1440, 860)),
    "airflow-graph.png": (graph, (1440, 760)),
    "airflow-load-xcom.png": (load_xcom, (1440, 900)),
    "trigger-form.png": (trigger_form, (1200, 1080)),
    "connection-form.png": (connection_form, (1200, 880)),
    "connection-form-more.png": (connection_form_more, (1200, 1320)),
    "approval.png": (approval, (1440, 1060)),
}


def photograph(base_url: str) -> None:
    """Each of the pictures, into this folder."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=OPTIONS)
        context = browser.new_context(color_scheme="light")
        page = context.new_page()
        sign_in(page, base_url)
        for name, (show, (width, height)) in PICTURES.items():
            page.set_viewport_size({"width": width, "height": height})
            show(page, base_url)
            page.wait_for_timeout(SETTLE_MS)
            page.screenshot(path=HERE / name)
            print(f"made {name}")
        browser.close()


if __name__ == "__main__":
    with demo() as (airflow, sandbox):
        ask_for_approval(airflow, sandbox)
        photograph(airflow)
