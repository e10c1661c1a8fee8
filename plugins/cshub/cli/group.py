"""The root of the command line: every error of the hub ends as one clear line and an exit status."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from cshub.cli.screen import current


class HubGroup(TyperGroup):
    """Tells errors without a traceback, unless ``--debug`` was given."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (TyperException, typer.Exit):
            raise
        except (KeyboardInterrupt, typer.Abort) as stop:
            raise typer.Exit(int(current().interrupted())) from stop
        except BrokenPipeError:
            raise
        except Exception as error:
            screen = current()
            if screen.debug:
                raise
            code = screen.failure(error)
            raise typer.Exit(int(code)) from error
