"""What must hold in ticketing's database at any time; run after every story of the tests."""

from shared.invariants import Sentences

# Each query answers the rows that break the sentence.
CHECKS = {
    "los pagos no traen a una factura más de lo que se debía de ella": """
        SELECT i.id FROM invoice i JOIN allocation a ON a.invoice_id = i.id
        JOIN payment p ON p.id = a.payment_id AND p.state <> 'REJECTED' GROUP BY i.id
        HAVING sum(a.amount) > i.balance - i.credited""",
    "un caso cerrado no tiene nada por hacer": """
        SELECT t.id FROM ticket t JOIN ticket_step s ON s.ticket_id = t.id
        WHERE t.closed_at IS NOT NULL AND s.state IN ('OPEN', 'WAITING')""",
    "un caso abierto espera algún paso, o a otro caso del cliente que hace lo mismo": """
        SELECT t.id FROM ticket t WHERE t.closed_at IS NULL
        AND NOT EXISTS (SELECT FROM ticket_step s WHERE s.ticket_id = t.id AND s.state = 'OPEN')
        AND NOT EXISTS (
            SELECT FROM ticket_step s JOIN LATERAL jsonb_array_elements(t.document -> 'steps') AS p(step) ON p.step ->> 'code' = s.code
            JOIN ticket o ON o.customer_id = t.customer_id AND o.id <> t.id
            JOIN ticket_step w ON w.ticket_id = o.id AND w.state = 'OPEN'
            JOIN LATERAL jsonb_array_elements(o.document -> 'steps') AS q(step) ON q.step ->> 'code' = w.code
            WHERE s.ticket_id = t.id AND s.state = 'WAITING' AND p.step ->> 'work' = q.step ->> 'work')""",
    "a un caso cerrado no le queda ninguna conmutación": """
        SELECT s.id FROM network_switch s JOIN ticket t ON t.id = s.ticket_id
        WHERE t.closed_at IS NOT NULL AND s.state IN ('QUEUED', 'CLAIMED', 'UNKNOWN')""",
    "un servicio está suspendido por conmutaciones hechas": """
        SELECT o.id FROM suspension o JOIN network_switch s ON s.ticket_id = o.ticket_id AND s.action = 'suspend'
        WHERE o.state IN ('SUSPENDED', 'RECONNECTED') AND s.state NOT IN ('DONE', 'REFUSED')""",
    "una suspensión que cayó no dejó nada apagado": """
        SELECT o.id FROM suspension o JOIN network_switch s ON s.ticket_id = o.ticket_id
        WHERE o.state IN ('CANCELLED', 'REFUSED') AND s.state = 'DONE'
        GROUP BY o.id HAVING count(*) FILTER (WHERE s.action = 'suspend') > count(*) FILTER (WHERE s.action = 'reconnect')""",
    "una suspensión termina cuando su reconexión está hecha, y solo entonces": """
        SELECT o.id FROM suspension o WHERE (o.state = 'RECONNECTED') <> EXISTS (
            SELECT FROM reconnection r WHERE r.suspension_id = o.id AND r.state = 'DONE')""",
    "nadie sigue suspendido si pagó antes de la suspensión, salvo que el pago se rechazara": """
        SELECT o.id FROM suspension o WHERE o.crossed AND o.state = 'SUSPENDED'
        AND NOT EXISTS (SELECT FROM reconnection r WHERE r.suspension_id = o.id)
        AND (o.withdrawn_at IS NOT NULL OR NOT EXISTS (
            SELECT FROM invoice i WHERE i.id = ANY(o.invoice_ids) AND NOT i.voided AND i.balance - i.credited > (
                SELECT coalesce(sum(a.amount), 0) FROM allocation a JOIN payment p ON p.id = a.payment_id
                WHERE a.invoice_id = i.id AND p.state <> 'REJECTED' AND p.reported_at < o.settled_at)))""",
    "un servicio está restringido por conmutaciones hechas": """
        SELECT r.id FROM restriction r JOIN network_switch s ON s.ticket_id = r.ticket_id AND s.action = 'restrict'
        WHERE r.state IN ('RESTRICTED', 'RELEASING', 'RELEASED', 'SUSPENDED') AND s.state NOT IN ('DONE', 'REFUSED')""",
    "una restricción que terminó no dejó nada restringido": """
        SELECT r.id FROM restriction r JOIN network_switch s ON s.ticket_id = r.ticket_id AND s.action = 'restrict' AND s.state = 'DONE'
        WHERE r.state IN ('RELEASED', 'CANCELLED', 'REFUSED') AND NOT EXISTS (
            SELECT FROM network_switch b WHERE b.ticket_id = coalesce(r.release_ticket_id, r.ticket_id) AND b.action = 'release'
                AND b.state = 'DONE' AND b.service_id = s.service_id)""",
    "una restricción que cedió a la suspensión cedió a una que se hizo": """
        SELECT r.id FROM restriction r WHERE r.state = 'SUSPENDED' AND NOT EXISTS (
            SELECT FROM suspension o WHERE o.customer_id = r.customer_id AND o.state IN ('SUSPENDED', 'RECONNECTED')
                AND o.settled_at <= r.settled_at)""",
    "cada restricción en curso tiene su caso": """
        SELECT r.id FROM restriction r LEFT JOIN ticket t ON t.id = r.ticket_id LEFT JOIN ticket b ON b.id = r.release_ticket_id
        WHERE r.state = 'REQUESTED' AND (t.id IS NULL OR t.closed_at IS NOT NULL)
            OR r.state = 'RELEASING' AND (b.id IS NULL OR b.closed_at IS NOT NULL)""",
    "cada orden de reconexión en curso tiene su caso": """
        SELECT r.id FROM reconnection r LEFT JOIN ticket t ON t.id = r.ticket_id
        WHERE r.state = 'ORDERED' AND t.closed_at IS NOT NULL OR r.state IN ('ORDERED', 'DONE') AND t.id IS NULL""",
}
SENTENCES = Sentences(CHECKS)
