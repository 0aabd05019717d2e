"""`reconecta` in a process of its own, whose handlers write down what they had in hand: for databases that are witnessed."""

import sys

from services.cli import main
from services.wiring import service_of
from shared.settings import SERVICES
from tests.support.history.witness import watching

if __name__ == "__main__":
    with watching([service_of(name) for name in sys.argv[1:] if name in SERVICES]):  # the others are not loaded
        main()
