"""`reconecta demo`: a month of an operator in under a minute, everything over HTTP as its people and its bank would do it.

`background` starts the server, `people` holds everybody's terminal, `story` what the chapters share; the chapters are `opening` (the book,
Sales' list, the first two days), `bank` (who pays), `talks` (promises and plans), `cuts` (notice, cut, outage, payments against cuts),
`returns` (reconnections) and `ending` (figures, one customer's timeline, where to look).
"""

from services.demo.play import Asked, run_demo

__all__ = ["Asked", "run_demo"]
