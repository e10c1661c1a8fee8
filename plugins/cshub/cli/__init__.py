"""The `cshub` command. Starts light: what a command needs is imported when it runs."""


def main() -> None:
    """Entry point of the `cshub` command; ends the process with one of :class:`cshub.cli.screen.ExitCode`."""
    from cshub.cli.app import app

    app(prog_name="cshub")
