"""Guards of the product that a test build can do without: then the tests here must go red (threats.md, G25)."""

import os

VARIABLE = "CRASH_WITHOUT"


def take_away() -> None:
    if os.environ.get(VARIABLE):
        raise NotImplementedError
