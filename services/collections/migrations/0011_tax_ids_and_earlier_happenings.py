"""tax ids of customers; what happened before happenings were kept"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# What earlier releases knew of each customer, in the words of the events that told it. Of what they did not keep (an invoice's lines, who
# reported a payment, tickets, mails to customers) nothing is made up.
EARLIER = """
INSERT INTO happening (customer_id, at, type, data)
SELECT customer_id, at, type, data || jsonb_build_object('customer_id', customer_id) FROM (
    SELECT customer_id, changed_at AS at, 'collections.segment_changed.v1' AS type, jsonb_build_object('policy', policy, 'note', note,
        'changed_by', changed_by, 'changed_at', changed_at, 'previous', previous) AS data FROM segment_change
    UNION ALL SELECT customer_id, assigned_at, 'collections.agent_assigned.v1', jsonb_build_object('agent', agent, 'assigned_by', assigned_by,
        'assigned_at', assigned_at, 'previous', previous, 'reason', reason) FROM portfolio_change
    UNION ALL SELECT customer_id, contacted_at, 'collections.contact_recorded.v1', jsonb_build_object('contact_id', id, 'kind', kind,
        'channel', channel, 'agent', agent, 'said', said, 'contacted_at', contacted_at, 'invoice_id', invoice_id) FROM contact
    UNION ALL SELECT account_id, issued_at, 'billing.invoice_issued.v1', jsonb_build_object('invoice_id', id, 'number', number,
        'origin', origin, 'period', period, 'issue_date', issue_date, 'due_date', due_date, 'base', total::text, 'tax', '0',
        'total', total::text, 'balance', balance::text, 'currency', currency) FROM invoice
    UNION ALL SELECT account_id, overdue_at, 'billing.invoice_overdue.v1', jsonb_build_object('invoice_id', id, 'number', number,
        'period', period, 'due_date', due_date, 'balance', balance::text, 'currency', currency) FROM invoice WHERE overdue_at IS NOT NULL
    UNION ALL SELECT account_id, paid_at, 'billing.invoice_paid.v1', jsonb_build_object('invoice_id', id, 'number', number,
        'period', period, 'paid_at', paid_at) FROM invoice WHERE paid_at IS NOT NULL
    UNION ALL SELECT account_id, voided_at, 'billing.invoice_voided.v1', jsonb_build_object('invoice_id', id, 'number', number,
        'period', period, 'reason', 'no consta', 'voided_at', voided_at) FROM invoice WHERE voided_at IS NOT NULL
    UNION ALL SELECT account_id, reported_at, 'billing.payment_reported.v1', {payment} || jsonb_build_object('channel', channel,
        'reported_at', reported_at, 'reported_by', '') FROM payment p
    UNION ALL SELECT account_id, confirmed_at, 'billing.payment_confirmed.v1', {payment} || jsonb_build_object(
        'confirmed_at', confirmed_at) FROM payment p WHERE confirmed_at IS NOT NULL
    UNION ALL SELECT account_id, rejected_at, 'billing.payment_rejected.v1', {payment} || jsonb_build_object('rejected_at', rejected_at,
        'reason', coalesce(reject_reason, 'sin motivo')) FROM payment p WHERE rejected_at IS NOT NULL
    UNION ALL SELECT account_id, made_at, 'collections.promise_made.v1', jsonb_build_object('promise_id', id, 'ordinal', ordinal,
        'amount', amount::text, 'currency', currency, 'due_at', due_at, 'agent', agent, 'period', period) FROM promise
    UNION ALL SELECT account_id, state_at, 'collections.promise_' || lower(state) || '.v1', jsonb_build_object('promise_id', id,
        'ordinal', ordinal, 'amount', amount::text, 'currency', currency, 'due_at', due_at, 'kept_at', state_at, 'lapsed_at', state_at)
        FROM promise WHERE state <> 'RUNNING'
    UNION ALL SELECT account_id, agreed_at, 'collections.payment_plan_agreed.v1', jsonb_build_object('plan_id', id, 'currency', currency,
        'agent', agent, 'agreed_at', agreed_at, 'instalments', (SELECT coalesce(jsonb_agg(jsonb_build_object('number', i.number,
        'due_at', i.due_at, 'amount', i.amount::text) ORDER BY i.number), '[]') FROM payment_plan_instalment i WHERE i.plan_id = p.id))
        FROM payment_plan p WHERE source <> 'IMPORT'
    UNION ALL SELECT account_id, state_at, 'collections.payment_plan_' || lower(state) || '.v1', jsonb_build_object('plan_id', id,
        'instalment', 1, 'broken_at', state_at, 'completed_at', state_at, 'lapsed_at', state_at) FROM payment_plan WHERE state <> 'RUNNING'
    UNION ALL SELECT account_id, opened_at, 'collections.review_opened.v1', jsonb_build_object('review_id', id, 'reason', reason,
        'opened_by', opened_by, 'opened_at', opened_at) FROM review
    UNION ALL SELECT account_id, closed_at, 'collections.review_closed.v1', jsonb_build_object('review_id', id,
        'conclusion', coalesce(conclusion, ''), 'closed_by', closed_by, 'closed_at', closed_at) FROM review WHERE closed_at IS NOT NULL
    UNION ALL SELECT account_id, requested_at, 'collections.suspension_notice_requested.v1', jsonb_build_object('notice_id', id,
        'notice', notice, 'amount', amount::text, 'currency', currency, 'reason', reason, 'requested_by', requested_by,
        'requested_at', requested_at) FROM suspension_notice
    UNION ALL SELECT account_id, accepted_at, 'notifier.message_accepted.v1', jsonb_build_object('message_id', id, 'notice', notice,
        'reference', id, 'recipients', 0, 'accepted_at', accepted_at) FROM suspension_notice WHERE accepted_at IS NOT NULL
    UNION ALL SELECT account_id, requested_at, 'collections.suspension_requested.v1', jsonb_build_object('suspension_id', id,
        'procedure', procedure, 'delivery', delivery, 'rule', rule, 'reason', reason, 'amount', amount::text, 'currency', currency,
        'invoice_ids', to_jsonb(invoice_ids), 'agent', agent, 'requested_at', requested_at) FROM suspension WHERE source <> 'IMPORT'
    UNION ALL SELECT account_id, withdrawn_at, 'collections.suspension_withdrawn.v1', jsonb_build_object('suspension_id', id,
        'reason', coalesce(withdraw_reason, 'sin motivo'), 'withdrawn_at', withdrawn_at) FROM suspension WHERE withdrawn_at IS NOT NULL
    UNION ALL SELECT account_id, ended_at, 'ticketing.suspension_cancelled.v1', jsonb_build_object('suspension_id', id, 'ticket_id', id,
        'cause', coalesce(ended_cause, 'withdrawn'), 'cancelled_at', ended_at) FROM suspension WHERE ended_at IS NOT NULL
    UNION ALL SELECT account_id, suspended_at, 'ticketing.service_suspended.v1', jsonb_build_object('suspension_id', id, 'ticket_id', id,
        'suspended_at', suspended_at) FROM suspension WHERE suspended_at IS NOT NULL AND source <> 'IMPORT'
    UNION ALL SELECT account_id, reconnection_requested_at, 'ticketing.reconnection_ordered.v1', jsonb_build_object('suspension_id', id,
        'reconnection_id', reconnection_id, 'cause', coalesce(basis, 'payment'), 'ordered_at', reconnection_requested_at)
        FROM suspension WHERE reconnection_by = 'ticketing'
    UNION ALL SELECT account_id, reconnection_requested_at, 'collections.reconnection_requested.v1', jsonb_build_object(
        'suspension_id', id, 'reconnection_id', reconnection_id, 'procedure', procedure, 'delivery', delivery, 'basis', basis,
        'target_status', coalesce(target_status, 'active'), 'rule', rule, 'agent', reconnection_by, 'requested_at', reconnection_requested_at)
        FROM suspension WHERE reconnection_by <> 'ticketing' AND basis IN ('payment', 'promise', 'payment_plan', 'review')
    UNION ALL SELECT account_id, reconnected_at, 'ticketing.service_reconnected.v1', jsonb_build_object('suspension_id', id,
        'reconnection_id', coalesce(reconnection_id, id), 'ticket_id', id, 'basis', coalesce(basis, 'payment'),
        'target_status', coalesce(target_status, 'active'), 'reconnected_at', reconnected_at)
        FROM suspension WHERE reconnected_at IS NOT NULL AND source <> 'IMPORT'
    UNION ALL SELECT account_id, changed_at, 'collections.status_changed.v1', jsonb_build_object('previous', previous, 'code', code,
        'label', label, 'rule', rule, 'reason', reason, 'changed_at', changed_at) FROM status_change
    UNION ALL SELECT a.id, o.declared_at, 'noc.outage_declared.v1', jsonb_build_object('outage_id', o.id, 'access_node', o.access_node,
        'description', '', 'declared_by', 'noc', 'declared_at', o.declared_at) FROM outage o JOIN account a ON a.nodes @> ARRAY[o.access_node]::text[]
    UNION ALL SELECT a.id, o.closed_at, 'noc.outage_closed.v1', jsonb_build_object('outage_id', o.id, 'access_node', o.access_node,
        'solution', '', 'closed_by', 'noc', 'closed_at', o.closed_at)
        FROM outage o JOIN account a ON a.nodes @> ARRAY[o.access_node]::text[] WHERE o.closed_at IS NOT NULL
) AS earlier WHERE NOT EXISTS (SELECT FROM happening) ORDER BY at, type
"""
PAYMENT = """jsonb_build_object('payment_id', p.id, 'amount', p.amount::text, 'currency', p.currency, 'reference', p.reference,
        'open_after', '0', 'allocations', (SELECT coalesce(jsonb_agg(jsonb_build_object('invoice_id', t.invoice_id,
        'amount', t.amount::text)), '[]') FROM payment_part t WHERE t.payment_id = p.id))"""


def upgrade() -> None:
    op.add_column("account", sa.Column("tax_id", sa.String(), nullable=True))
    op.execute(EARLIER.format(payment=PAYMENT))


def downgrade() -> None:
    op.drop_column("account", "tax_id")
