"""`reconecta`: everything that people do with Reconecta at a terminal. Output in Spanish; 0 is well done, 1 an error, 2 a wrong call."""

import gc

WATCHED = gc.isenabled()
gc.disable()  # all that is loaded stays: to look at it again and again took a third of the start
try:
    from services.cli.main import app, main
finally:
    gc.freeze()
    gc.unfreeze()  # it is old now
    if WATCHED:
        gc.enable()

__all__ = ["app", "main"]
