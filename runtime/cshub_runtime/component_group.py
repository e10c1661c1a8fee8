"""Several components kept alive together: a dead one is started again, all are ended in the right order."""

import threading
import time
from collections.abc import Callable, Collection, Iterator

from cshub_runtime.processes import Component, end_together

RESTART_LIMIT = 5
SETTLING_S = 180.0
"""A component that was started less than this ago is not taken for a silent one: it may still be starting."""
LISTEN_EVERY_S = 15.0
_WATCH_INTERVAL_S = 0.5


class ComponentGroup:
    """Components by name. The first one serves the others and is therefore ended last.

    `failure` is None until a component has ended by itself more than RESTART_LIMIT times; it says then which and why.
    `silent`, asked every `listen_every_s` seconds, names components that give no sign of life: those that run all the
    same are killed, and started again like those that have ended.
    """

    def __init__(
        self,
        progress: Callable[[str], None],
        *,
        silent: Callable[[], Collection[str]] = tuple,
        settling_s: float = SETTLING_S,
        listen_every_s: float = LISTEN_EVERY_S,
    ) -> None:
        self.failure: str | None = None
        self._progress = progress
        self._silent = silent
        self._settling_s = settling_s
        self._listen_every_s = listen_every_s
        self._components: dict[str, Component] = {}
        self._watching = threading.Event()
        self._watcher: threading.Thread | None = None

    def __getitem__(self, name: str) -> Component:
        return self._components[name]

    def __iter__(self) -> Iterator[Component]:
        return iter(tuple(self._components.values()))

    def start(self, component: Component) -> None:
        """Start a component and watch over it from now on."""
        self._components[component.name] = component
        component.start()
        if self._watcher is None:
            self._watching.set()
            self._watcher = threading.Thread(target=self._watch, name="cshub-supervisor", daemon=True)
            self._watcher.start()

    def stop(self) -> None:
        """End all components: first those started later, together, then the first one."""
        self._watching.clear()
        if self._watcher is not None:
            self._watcher.join()
            self._watcher = None
        components = list(self)
        end_together(components[:0:-1])
        end_together(components[:1])
        self._components = {}

    def _watch(self) -> None:
        listened_at = time.monotonic()
        while self._watching.is_set():
            if time.monotonic() - listened_at > self._listen_every_s:
                self._kill_silent()
                listened_at = time.monotonic()
            for component in self:
                if not component.alive() and self._watching.is_set():
                    self._revive(component)
            time.sleep(_WATCH_INTERVAL_S)

    def _kill_silent(self) -> None:
        for name in self._silent():
            component = self._components.get(name)
            if component is not None and component.alive() and component.running_s > self._settling_s:
                self._progress(f"{name} runs but gives no sign of life; ending it")
                component.kill()

    def _revive(self, component: Component) -> None:
        ending = f"{component.name} ended by itself (status {component.exit_status})"
        if component.starts <= RESTART_LIMIT:
            self._progress(f"{ending}; starting it again")
            component.start()
        elif self.failure is None:
            told = f"the end of {component.log_path}:\n{component.log_tail()}"
            self.failure = f"{ending} after {component.starts} starts; {told}"
            self._progress(self.failure)
