"""Collections: who owes, what was agreed, and whether a service is cut or reconnected."""
