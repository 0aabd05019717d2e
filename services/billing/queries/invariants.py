"""What must hold in billing's database at any time; run after every story of the tests. That the ledger as a whole sums to zero needs no
query: a posting is one amount on two accounts."""

from sqlalchemy.ext.asyncio import AsyncSession

from shared.invariants import Finding, Sentences, check

# Each query answers the rows that break the sentence.
CHECKS = {
    "el saldo de cada factura es lo que suman sus asientos": """
        SELECT i.number FROM invoice i LEFT JOIN (
            SELECT invoice_id, sum(CASE WHEN debit = 'RECEIVABLE' THEN amount ELSE 0 END)
                - sum(CASE WHEN credit = 'RECEIVABLE' THEN amount ELSE 0 END) AS owed FROM posting WHERE invoice_id IS NOT NULL GROUP BY 1
        ) p ON p.invoice_id = i.id WHERE i.balance <> coalesce(p.owed, 0)""",
    "cada factura es la suma de sus líneas": """
        SELECT i.number FROM invoice i JOIN (SELECT invoice_id, sum(base) AS base, sum(tax) AS tax FROM invoice_line GROUP BY 1) l
        ON l.invoice_id = i.id WHERE (i.base, i.tax) <> (l.base, l.tax)""",
    "lo reportado de cada factura es lo que le traen los pagos reportados": """
        SELECT i.number FROM invoice i LEFT JOIN (
            SELECT a.invoice_id, sum(a.amount) AS amount FROM payment_allocation a JOIN payment p ON p.id = a.payment_id
            WHERE p.state = 'REPORTED' GROUP BY 1
        ) r ON r.invoice_id = i.id WHERE i.reported <> coalesce(r.amount, 0)""",
    "cada pago es la suma de sus partes, lo que sobra y lo devuelto": """
        SELECT p.reference FROM payment p
        LEFT JOIN (SELECT payment_id, sum(amount) AS amount FROM payment_allocation GROUP BY 1) a ON a.payment_id = p.id
        WHERE p.state IN ('REPORTED', 'CONFIRMED') AND p.amount <> p.unallocated + p.refunded + coalesce(a.amount, 0)""",
    "nadie debe una factura mientras le sobra dinero": """
        SELECT i.number FROM invoice i JOIN payment p ON p.customer_id = i.customer_id AND p.unallocated > 0
        AND p.state IN ('REPORTED', 'CONFIRMED') WHERE i.state = 'OPEN' AND i.balance > i.reported""",
    "el saldo a favor de cada cliente es lo que sobra de sus pagos confirmados": """
        SELECT customer_id FROM (
            SELECT customer_id, CASE WHEN credit = 'CUSTOMER_CREDIT' THEN amount ELSE -amount END AS amount FROM posting
            WHERE 'CUSTOMER_CREDIT' IN (debit, credit)
            UNION ALL SELECT customer_id, -unallocated FROM payment WHERE state = 'CONFIRMED'
        ) AS t GROUP BY 1 HAVING sum(amount) <> 0""",
    "una factura está pagada cuando no se debe nada de ella, y solo entonces": """
        SELECT number FROM invoice WHERE (state = 'PAID') <> (balance = 0 AND state <> 'VOIDED')""",
    "lo acreditado de cada factura es la suma de sus notas de crédito": """
        SELECT i.number FROM invoice i
        LEFT JOIN (SELECT invoice_id, sum(total) AS total FROM credit_note GROUP BY 1) n ON n.invoice_id = i.id
        WHERE i.credited <> coalesce(n.total, 0)""",
    "cada nota de crédito es la suma de sus líneas y de sus asientos": """
        SELECT n.number FROM credit_note n
        LEFT JOIN (SELECT credit_note_id, sum(base) AS base, sum(tax) AS tax FROM credit_note_line GROUP BY 1) l ON l.credit_note_id = n.id
        LEFT JOIN (SELECT credit_note_id, sum(amount) AS amount FROM posting GROUP BY 1) p ON p.credit_note_id = n.id
        WHERE (n.base, n.tax, n.total) IS DISTINCT FROM (l.base, l.tax, p.amount)""",
    "ninguna nota de crédito devuelve de un servicio más de lo que su factura cobró": """
        SELECT number FROM (
            SELECT i.number, l.service_id, l.tax_code, l.base, l.tax FROM invoice_line l JOIN invoice i ON i.id = l.invoice_id
            UNION ALL SELECT i.number, l.service_id, l.tax_code, -l.base, -l.tax FROM credit_note_line l
            JOIN credit_note n ON n.id = l.credit_note_id JOIN invoice i ON i.id = n.invoice_id
            WHERE EXISTS (SELECT FROM invoice_line WHERE invoice_id = i.id)
        ) AS t GROUP BY number, service_id, tax_code HAVING sum(base) < 0 OR sum(tax) < 0""",
    "lo disputado de cada factura es la suma de sus disputas abiertas": """
        SELECT i.number FROM invoice i LEFT JOIN (
            SELECT invoice_id, sum(amount) AS amount FROM dispute WHERE state = 'OPEN' GROUP BY 1
        ) d ON d.invoice_id = i.id WHERE i.disputed <> coalesce(d.amount, 0)""",
    "lo devuelto de los pagos de cada cliente es la suma de sus devoluciones": """
        SELECT customer_id FROM (
            SELECT customer_id, amount FROM refund UNION ALL SELECT customer_id, -refunded FROM payment WHERE refunded > 0
        ) AS t GROUP BY 1 HAVING sum(amount) <> 0""",
    "un pago que se pasó a otro cliente ya no cuenta en el anterior": """
        SELECT p.reference FROM payment p JOIN payment b ON b.id = p.moved_from
        WHERE b.state <> 'REVERSED' OR b.customer_id = p.customer_id OR b.amount <> p.amount""",
    "la numeración de cada serie fiscal no tiene huecos": """
        SELECT f.code, f.next_number FROM fiscal_series f LEFT JOIN (
            SELECT fiscal_series_id, id, sequence FROM invoice UNION ALL SELECT fiscal_series_id, id, sequence FROM credit_note
        ) i ON i.fiscal_series_id = f.id
        WHERE NOT EXISTS (SELECT FROM billing_run WHERE state = 'RUNNING')
        GROUP BY f.id HAVING count(i.id) <> f.next_number - f.from_number
            OR coalesce(max(i.sequence), f.from_number - 1) <> f.next_number - 1""",
}


SENTENCES = Sentences(CHECKS)


async def invariants(session: AsyncSession) -> list[Finding]:
    """The sentences that do not hold in this transaction, each with some of the rows that break it; empty when all is well."""
    return [found for sentence, sql in CHECKS.items() if (found := await check(session, sentence, sql)).count]
