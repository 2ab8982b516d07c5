"""The command `edgebench`: subcommands are imported when they are called, so --help is fast."""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
from pathlib import Path
from types import FrameType

import click

from edgebench import __version__
from edgebench.errors import EdgebenchError

EXIT_LIMIT = 1
EXIT_USAGE = 2
EXIT_FAILED_CELLS = 3
EXIT_INTERRUPTED = 130

_COMMANDS = {
    "run": "Measure CNN workloads on this device.",
    "ab": "Tell which of two cases is faster, by live workers in turns.",
    "profile": "Show which operators take the time of one inference.",
    "attach": "Add an external power meter's log to a run.",
    "import": "Take in what another tool measured.",
    "report": "Show results as a table, or write them as CSV or HTML.",
    "compare": "Say which cells of two runs differ, and whether a limit is broken.",
    "recommend": "Choose a device, a runtime and a precision, and say why the others fell out.",
    "history": "Show a case's figure over all its runs, and where its level changed.",
    "export": "Write results as Parquet, JSON Lines, Markdown or pytest-benchmark's JSON.",
    "baseline": "Save, list and remove baselines to compare with.",
    "doctor": "Say what this device is, and what would spoil a run on it.",
    "workloads": "List, show, verify, derive and build workloads.",
    "data": "Add, download, list and verify labelled images.",
    "backends": "List, show and verify the inference runtimes.",
    "devices": "List, show and verify device descriptors.",
    "meters": "List, show and read what measures power.",
}


class _Lazy(click.Group):
    """A group whose commands live in modules of their own, imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"edgebench.cli.{cmd_name}_")
        command = module.command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing one."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="edgebench")
def cli() -> None:
    """Which board, which runtime, which precision for a vision CNN?

    Run `edgebench run` on each device, then put the result folders together.
    """


def _terminate(number: int, frame: FrameType | None) -> None:
    """SIGTERM and SIGHUP end a run as Ctrl-C does: results are kept, workers cleared away."""
    del number, frame
    raise KeyboardInterrupt


def _open_streams() -> None:
    """Closed streams lead nowhere, and a terminal without our signs gets question marks."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - kept
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _tell_planted() -> None:
    """No command may pass a planted machine off as this one."""
    if os.environ.get("EDGEBENCH_ROOT"):
        from edgebench.host.cpu import planted

        if told := planted():
            click.echo(f"edgebench: {told}", err=True)


def main() -> None:
    """Run the command line; every failure that edgebench understands is one line on stderr."""
    for name in ("SIGTERM", "SIGHUP"):  # a dropped ssh session ends in SIGHUP; Windows has none
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _terminate)
    _open_streams()
    try:
        _tell_planted()
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:  # a command that keeps something tells that itself
        click.echo("edgebench: interrupted", err=True)
        code = EXIT_INTERRUPTED
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except EdgebenchError as error:
        from edgebench.cli.text import plain

        click.echo(f"edgebench: {plain(str(error))}", err=True)
        code = EXIT_USAGE
    except BrokenPipeError:  # `edgebench report | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:  # stdout is a full disk
        click.echo(f"edgebench: cannot write: {error.strerror}", err=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_USAGE
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
