"""Several components kept alive together: a dead one is started again, all are ended in the right order."""

import threading
import time
from collections.abc import Callable, Iterator

from cshub_runtime.processes import Component, end_together

RESTART_LIMIT = 5
_WATCH_INTERVAL_S = 0.5


class ComponentGroup:
    """Components by name. The first one serves the others and is therefore ended last.

    `failure` is None until a component has ended by itself more than RESTART_LIMIT times; it says then which and why.
    """

    def __init__(self, progress: Callable[[str], None]) -> None:
        self.failure: str | None = None
        self._progress = progress
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
        while self._watching.is_set():
            for component in self:
                if not component.alive() and self._watching.is_set():
                    self._revive(component)
            time.sleep(_WATCH_INTERVAL_S)

    def _revive(self, component: Component) -> None:
        ending = f"{component.name} ended by itself (status {component.exit_status})"
        if component.starts <= RESTART_LIMIT:
            self._progress(f"{ending}; starting it again")
            component.start()
        elif self.failure is None:
            told = f"the end of {component.log_path}:\n{component.log_tail()}"
            self.failure = f"{ending} after {component.starts} starts; {told}"
            self._progress(self.failure)
