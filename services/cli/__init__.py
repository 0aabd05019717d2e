"""`reconecta`: everything that people do with Reconecta at a terminal. Output in Spanish; 0 is well done, 1 an error, 2 a wrong call."""

from shared.loop import loading

with loading():
    from services.cli.main import app, main

__all__ = ["app", "main"]
