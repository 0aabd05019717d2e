"""Which addresses a subscriber may have: nothing of ours, and nothing of the operator's own network unless its settings say so."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

Network = IPv4Network | IPv6Network
NAT64 = ip_network("64:ff9b::/96")
LONGEST = 500


def networks(texts: Sequence[str]) -> list[Network]:
    """The networks of the settings. Raises ValueError."""
    return [ip_network(each) for each in texts]


def may_be_called(text: str, configured: Sequence[Network], *, public: bool = True) -> bool:
    """May we connect to this IP address? To the configured networks always, to the public ones if `public`. An IPv6 address that stands for
    an IPv4 one is judged as that."""
    found = _meant(ip_address(text.partition("%")[0]))
    if any(found.version == each.version and found in each for each in configured):
        return True
    return public and found.is_global and not found.is_multicast and not found.is_reserved


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def fault_of(url: str, configured: Sequence[Network]) -> str | None:
    """Why nothing can be sent to this URL (Spanish), as far as it can be told without asking anybody; None when it can."""
    if len(url) > LONGEST or not url.isascii() or not url.isprintable() or " " in url:
        return f"no es una dirección web: a lo sumo {LONGEST} caracteres, sin espacios ni tildes"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "no es una dirección web"
    if parts.scheme not in {"https", "http"} or not host or port == 0:
        return "se espera una dirección que comience con https://"
    if parts.scheme == "http" and not configured:
        return "debe comenzar con https://; http:// solo va a las redes de RECONECTA_WEBHOOK_NETWORKS"
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "no puede llevar usuario, clave ni #"
    return None if _may_be(host, configured, secure=parts.scheme == "https") else "es una dirección de una red privada"


def _may_be(host: str, configured: Sequence[Network], *, secure: bool) -> bool:
    """A name may be anything until it is looked up, which is when it is called."""
    try:
        return may_be_called(host, configured, public=secure)
    except ValueError:
        return True
