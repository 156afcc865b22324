"""Mistakes that a user can mend, and how a command reports them."""

import os
import sys
from collections.abc import Callable
from functools import wraps


class InputError(ValueError):
    """One line that says what is wrong with the input and what to do about it."""


class MissingExtra(InputError):
    """A package of an optional extra is needed and absent."""

    def __init__(self, extra: str, package: str) -> None:
        super().__init__(
            f"this needs the package {package}: install it with pip install 'inhibi[{extra}]'"
        )


def command(main: Callable[..., None]) -> Callable[..., None]:
    """Let `main` end as a shell expects: 1 line on stderr and status 2 for an `InputError`,
    130 after Ctrl-C, silence when the reader of standard output has gone."""

    @wraps(main)
    def run(*args: object) -> None:
        try:
            main(*args)
            sys.stdout.flush()
        except InputError as error:
            sys.exit(_line(error))
        except KeyboardInterrupt:
            sys.exit(130)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(141)

    return run


def _line(error: InputError) -> int:
    print("error: " + " ".join(str(error).split()), file=sys.stderr)
    return 2
