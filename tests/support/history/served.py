"""`reconecta` in a process of its own, whose handlers write down what they had in hand: for databases that are witnessed."""

from services.cli import main
from services.wiring import SERVICES
from tests.support.history.witness import watching

if __name__ == "__main__":
    with watching(SERVICES):
        main()
