"""The story the demo tells: what people do in the simulated services between the first syncs and the second ones.

An act is what a user of Chorus or Totango would do by hand; it reaches the sandbox through its control address.
"""

from collections.abc import Callable
from dataclasses import dataclass

import requests

from cshub_runtime.sandbox_process import SandboxAddresses


@dataclass(frozen=True)
class Act:
    """One thing that happens between two syncs: how it is announced, and how it is done in the sandbox."""

    announcement: str
    perform: Callable[[SandboxAddresses], None]


ACTS: tuple[Act, ...] = ()


def control(addresses: SandboxAddresses, path: str, body: object) -> None:
    """Send one order to the sandbox's control address. Raises requests.HTTPError when it is refused."""
    answer = requests.post(f"{addresses.control_url}{path}", json=body, timeout=30, proxies={"http": ""})
    answer.raise_for_status()
