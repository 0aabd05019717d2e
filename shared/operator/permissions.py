"""The permissions that the code asks for. operator.yaml gives each to desks; a name that is not listed here would open nothing."""

PERMISSIONS: dict[str, str] = {
    "billing.read": "ver clientes, facturas, pagos e importaciones",
    "billing.customers": "registrar y cambiar clientes, contratos y servicios",
    "billing.payments": "reportar, confirmar y rechazar pagos",
    "billing.invoices": "correr la facturación del mes y anular facturas",
    "billing.imports": "importar clientes y pagos",
    "collections.read": "ver estados, carteras, listados y explicaciones",
    "collections.work": "gestionar clientes: contactos, compromisos, planes, avisos, suspensiones y reconexiones",
    "collections.vip_lists": "enviar el detalle de clientes VIP del cierre de mes",
    "collections.portfolios": "asignar clientes a los gestores y ver todas las carteras",
    "ticketing.read": "ver tickets y procedimientos",
    "ticketing.network": "resolver cambios de red cuyo resultado no se conoce",
    "noc.read": "ver nodos de acceso y fallas",
    "noc.outages": "declarar y cerrar fallas",
    "notifier.read": "ver los mensajes enviados",
    "notifier.retry": "enviar de nuevo un mensaje que no salió",
    "events.replay": "ver los eventos apartados y entregarlos de nuevo",
    "simulation.clock": "mover el reloj de una instalación de prueba",
}
