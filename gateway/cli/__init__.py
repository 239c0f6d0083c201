"""The command line. What can be typed stands in ``commands``; what a command does, in the module of its name.

Standard output carries what was asked for (a secret, a list, an address);
everything that explains goes to standard error.
"""

import os
import sys

import typer

from gateway.cli.commands import app
from gateway.cli.sentences import sentence
from gateway.errors import GatewayError, InvalidRequest, InvalidSetting, InvalidTool, NotAvailable, NotFound

FAILED, WRONG_INPUT, INTERRUPTED = 1, 2, 130

_WRONG_INPUT_ERRORS = (InvalidSetting, InvalidTool, InvalidRequest, NotAvailable, NotFound)


def main() -> None:
    """Does what the arguments say and ends the process: 0 done, 1 failed, 2 wrong input. A refusal is one sentence."""
    try:
        code = _run(sys.argv[1:] or ["--help"])
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has left. Without this, Python complains when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FAILED
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    try:
        return int(app(arguments, prog_name="countersign", standalone_mode=False) or 0)
    except typer.TyperException as error:
        return _refuse(error.format_message(), error.exit_code)
    except typer.Abort:
        return INTERRUPTED
    except GatewayError as error:
        return _refuse(sentence(error), WRONG_INPUT if isinstance(error, _WRONG_INPUT_ERRORS) else FAILED)
    except BrokenPipeError:
        raise
    except OSError as error:
        return _refuse(f"{error.strerror or error}: {error.filename}." if error.filename else f"{error}.", FAILED)


def _refuse(sentence: str, code: int) -> int:
    typer.echo(f"Error: {' '.join(sentence.split())}", err=True)
    return code
