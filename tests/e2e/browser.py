"""A real browser for Airflow's pages: the Chromium of this machine, without a window."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"]
PATIENCE_MS = 20_000


def executable() -> str:
    """Path of the browser: ``CHROMIUM``, else the first one installed.

    Without any, the test is skipped; where ``CI`` is set, it fails, because there a browser can be installed.
    """
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found:
        return found
    remedy = "no browser: run scripts/install-chromium.sh, or set CHROMIUM to the path of one"
    if os.environ.get("CI"):
        pytest.fail(remedy)
    pytest.skip(remedy)


@contextmanager
def signed_in(base_url: str, user: str, password: str) -> Iterator[Page]:
    """A page of a browser in which a user has signed in to Airflow."""
    path = executable()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=OPTIONS)
        try:
            page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
            page.set_default_timeout(PATIENCE_MS)
            page.goto(f"{base_url}/")
            page.wait_for_url("**/auth/login**")
            page.fill("input[name=username]", user)
            page.fill("input[name=password]", password)
            page.click("button[type=submit]")
            page.wait_for_url(lambda url: "/auth/login" not in url)
            yield page
        finally:
            browser.close()
