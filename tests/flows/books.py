"""Small books of customers for stories, as a CRM would export them."""

MAPPING = """
source: crm
dates: ["%Y-%m-%d"]
customer: {external_id: codigo, name: nombre, agent: gestor}
contract: {start: inicio}
contacts:
  - {role: {constant: administrativo}, name: nombre, email: correo}
services:
  - {code: {constant: internet}, plan: plan, amount: precio, delivery: entrega, login: usuario, node: nodo}
opening: {status: estado, last_billed: facturado}
"""
HEADER = "codigo,nombre,gestor,inicio,correo,plan,precio,entrega,usuario,nodo,estado,facturado"


def vip(code: str, name: str, *, agent: str = "ana.martinez", delivery: str = "own", node: str = "SPS-NORTE-1") -> str:
    """A VIP customer with a dedicated link of $600.00."""
    mail = f"pagos@{code.lower()}.example"
    return f"{code},{name},{agent},2025-01-01,{mail},dedicado_20,600.00,{delivery},{code.lower()},{node},CLIENTE VIP,2026-02"


def residential(code: str, name: str, *, node: str = "SPS-NORTE-1") -> str:
    """A home with 50 Mbps."""
    return f"{code},{name},,2025-01-01,{code.lower()}@correo.example,hogar_50,39.90,own,{code.lower()},{node},ACTIVO,2026-02"


def business(code: str, name: str, *, plan: str = "corporativo_50", price: str = "450.00", agent: str = "") -> str:
    """A company that nobody has put on a list of VIPs yet."""
    return f"{code},{name},{agent},2025-01-01,pagos@{code.lower()}.example,{plan},{price},own,{code.lower()},SPS-NORTE-1,ACTIVO,2026-02"


def book(*rows: str) -> str:
    """The CSV text."""
    return "\n".join([HEADER, *rows]) + "\n"
