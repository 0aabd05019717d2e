"""Where mails go: an SMTP server, a Maildir, or nowhere. `carrier(settings)` chooses; a carrier never raises for what became of a mail."""

from services.notifier.adapters.carriers import Carrier, Line, carrier

__all__ = ["Carrier", "Line", "carrier"]
