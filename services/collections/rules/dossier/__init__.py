"""The legal dossier: what is written down of a customer, in a form that can be proved (`content`), and as it is printed (`printing`).

What is printed follows from the content and the operator's files alone: the same content is the same document, byte by byte.
"""

from services.collections.rules.dossier.content import FORMAT, Subject, canonical, digest
from services.collections.rules.dossier.file import FileVerdict, Given, number_in, pages_of
from services.collections.rules.dossier.printing import printed

__all__ = ["FORMAT", "FileVerdict", "Given", "Subject", "canonical", "digest", "number_in", "pages_of", "printed"]
