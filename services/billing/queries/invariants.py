"""What must hold in billing's database at any time; run after every story of the tests. That the ledger as a whole sums to zero needs no
query: a posting is one amount on two accounts."""

from sqlalchemy.ext.asyncio import AsyncSession

from shared.invariants import broken

# Each query answers the rows that break the sentence.
CHECKS = {
    "every invoice's balance is what the ledger says the customer owes for it": """
        SELECT i.number FROM invoice i LEFT JOIN (
            SELECT invoice_id, sum(CASE WHEN debit = 'RECEIVABLE' THEN amount ELSE 0 END)
                - sum(CASE WHEN credit = 'RECEIVABLE' THEN amount ELSE 0 END) AS owed FROM posting WHERE invoice_id IS NOT NULL GROUP BY 1
        ) p ON p.invoice_id = i.id WHERE i.balance <> coalesce(p.owed, 0)""",
    "every invoice is the sum of its lines": """
        SELECT i.number FROM invoice i JOIN (SELECT invoice_id, sum(base) AS base, sum(tax) AS tax FROM invoice_line GROUP BY 1) l
        ON l.invoice_id = i.id WHERE (i.base, i.tax) <> (l.base, l.tax)""",
    "what is reported on an invoice is what reported payments brought it": """
        SELECT i.number FROM invoice i LEFT JOIN (
            SELECT a.invoice_id, sum(a.amount) AS amount FROM payment_allocation a JOIN payment p ON p.id = a.payment_id
            WHERE p.state = 'REPORTED' GROUP BY 1
        ) r ON r.invoice_id = i.id WHERE i.reported <> coalesce(r.amount, 0)""",
    "every payment is its parts, what is left over and what was refunded": """
        SELECT p.reference FROM payment p
        LEFT JOIN (SELECT payment_id, sum(amount) AS amount FROM payment_allocation GROUP BY 1) a ON a.payment_id = p.id
        WHERE p.state IN ('REPORTED', 'CONFIRMED') AND p.amount <> p.unallocated + p.refunded + coalesce(a.amount, 0)""",
    "nobody who has money left over owes an invoice": """
        SELECT i.number FROM invoice i JOIN payment p ON p.customer_id = i.customer_id AND p.unallocated > 0
        AND p.state IN ('REPORTED', 'CONFIRMED') WHERE i.state = 'OPEN' AND i.balance > i.reported""",
    "the customer's credit is what confirmed payments have left over": """
        SELECT customer_id FROM (
            SELECT customer_id, CASE WHEN credit = 'CUSTOMER_CREDIT' THEN amount ELSE -amount END AS amount FROM posting
            WHERE 'CUSTOMER_CREDIT' IN (debit, credit)
            UNION ALL SELECT customer_id, -unallocated FROM payment WHERE state = 'CONFIRMED'
        ) AS t GROUP BY 1 HAVING sum(amount) <> 0""",
    "an invoice is paid exactly when nothing of it is owed": """
        SELECT number FROM invoice WHERE (state = 'PAID') <> (balance = 0 AND state <> 'VOIDED')""",
    "what credit notes took back of an invoice is the sum of its notes": """
        SELECT i.number FROM invoice i
        LEFT JOIN (SELECT invoice_id, sum(total) AS total FROM credit_note GROUP BY 1) n ON n.invoice_id = i.id
        WHERE i.credited <> coalesce(n.total, 0)""",
    "every credit note is the sum of its lines, and the ledger says so": """
        SELECT n.number FROM credit_note n
        LEFT JOIN (SELECT credit_note_id, sum(base) AS base, sum(tax) AS tax FROM credit_note_line GROUP BY 1) l ON l.credit_note_id = n.id
        LEFT JOIN (SELECT credit_note_id, sum(amount) AS amount FROM posting GROUP BY 1) p ON p.credit_note_id = n.id
        WHERE (n.base, n.tax, n.total) IS DISTINCT FROM (l.base, l.tax, p.amount)""",
    "no credit note takes back more of a service than its invoice charged for it": """
        SELECT number FROM (
            SELECT i.number, l.service_id, l.tax_code, l.base, l.tax FROM invoice_line l JOIN invoice i ON i.id = l.invoice_id
            UNION ALL SELECT i.number, l.service_id, l.tax_code, -l.base, -l.tax FROM credit_note_line l
            JOIN credit_note n ON n.id = l.credit_note_id JOIN invoice i ON i.id = n.invoice_id
            WHERE EXISTS (SELECT FROM invoice_line WHERE invoice_id = i.id)
        ) AS t GROUP BY number, service_id, tax_code HAVING sum(base) < 0 OR sum(tax) < 0""",
    "what is disputed of an invoice is the sum of its open disputes": """
        SELECT i.number FROM invoice i LEFT JOIN (
            SELECT invoice_id, sum(amount) AS amount FROM dispute WHERE state = 'OPEN' GROUP BY 1
        ) d ON d.invoice_id = i.id WHERE i.disputed <> coalesce(d.amount, 0)""",
    "what was refunded of payments is what refunds gave back": """
        SELECT customer_id FROM (
            SELECT customer_id, amount FROM refund UNION ALL SELECT customer_id, -refunded FROM payment WHERE refunded > 0
        ) AS t GROUP BY 1 HAVING sum(amount) <> 0""",
    "a payment that was another customer's before counts there no longer": """
        SELECT p.reference FROM payment p JOIN payment b ON b.id = p.moved_from
        WHERE b.state <> 'REVERSED' OR b.customer_id = p.customer_id OR b.amount <> p.amount""",
    "the numbers of every fiscal series are gapless": """
        SELECT f.code, f.next_number FROM fiscal_series f LEFT JOIN (
            SELECT fiscal_series_id, id, sequence FROM invoice UNION ALL SELECT fiscal_series_id, id, sequence FROM credit_note
        ) i ON i.fiscal_series_id = f.id
        WHERE NOT EXISTS (SELECT FROM billing_run WHERE state = 'RUNNING')
        GROUP BY f.id HAVING count(i.id) <> f.next_number - f.from_number
            OR coalesce(max(i.sequence), f.from_number - 1) <> f.next_number - 1""",
}


async def invariants(session: AsyncSession) -> list[str]:
    """The sentences that do not hold, each with some of the rows that break it; empty when all is well."""
    return await broken(session, CHECKS)
