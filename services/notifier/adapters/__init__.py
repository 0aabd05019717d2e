"""Ways out: mails go to an SMTP server, a Maildir, or nowhere (`carrier`), events to subscribers over HTTP (`poster`). Neither raises
for what became of what was sent."""

from services.notifier.adapters.carriers import Carrier, Line, carrier
from services.notifier.adapters.posting import poster

__all__ = ["Carrier", "Line", "carrier", "poster"]
