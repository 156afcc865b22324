"""Mistakes that a user can mend, and how a command reports them."""

import os
import sys
import warnings
from collections.abc import Callable
from functools import wraps


class InputError(ValueError):
    """One line that says what is wrong with the input and what to do about it."""


class MissingExtra(InputError):
    """A package of an optional extra is needed and absent."""

    def __init__(self, extra: str, package: str, what: str = "this") -> None:
        super().__init__(
            f"{what} needs the package {package}: install it with pip install 'inhibi[{extra}]'"
        )


class Note(UserWarning):
    """What a user should know though nothing is wrong; a command says it each time."""


def command(main: Callable[..., None]) -> Callable[..., None]:
    """Let `main` end as a shell expects: 1 line on stderr and status 2 for an `InputError`,
    or a file that cannot be read or written, 130 after Ctrl-C, silence when the reader of standard
    output has gone. A warning is 1 line, too."""

    @wraps(main)
    def run(*args: object) -> None:
        try:
            _run(main, args)
        except InputError as error:
            sys.exit(_complain(str(error)))
        except KeyboardInterrupt:
            sys.exit(130)
        except BrokenPipeError:
            _output_is_lost()
            sys.exit(141)
        except OSError as error:
            name = error.filename or ("standard output" if _output_is_lost() else None)
            reason = error.strerror or str(error)
            sys.exit(_complain(f"{name}: {reason}" if name else reason))

    return run


def _run(main: Callable[..., None], args: tuple[object, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always", Note)
        warnings.showwarning = lambda message, *_, **__: say("note: " + _one_line(str(message)))
        try:
            main(*args)
        finally:
            sys.stdout.flush()


def _output_is_lost() -> bool:
    """Whether standard output cannot be written; then drop what Python would write at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


def _complain(message: str) -> int:
    say("error: " + _one_line(message))
    return 2


def _one_line(message: str) -> str:
    return " ".join(message.split())


def say(line: str) -> None:
    """Print on standard error at once."""
    print(line, file=sys.stderr, flush=True)
