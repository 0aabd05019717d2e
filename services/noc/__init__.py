"""NOC: access nodes, who is behind them, and their outages.

Owns     the projection of which services hang on which access node, and the outages of those nodes.
Sends    OutageDeclared, OutageClosed (shared/events/noc.py).
Reacts   to CustomerRegistered and CustomerChanged.
"""
