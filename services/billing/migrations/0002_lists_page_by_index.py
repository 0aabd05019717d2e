"""lists page by index"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The other way round it also finds a customer by its id alone.
    op.drop_constraint("uq_customer_external", "customer", type_="unique")
    op.create_unique_constraint("uq_customer_external", "customer", ["external_id", "external_source"])
    op.create_index("ix_customer_policy", "customer", ["policy", "search_name", "id"], unique=False)
    op.create_index("ix_invoice_period", "invoice", ["period", "id"], unique=False)
    op.create_index("ix_invoice_period_state", "invoice", ["period", "state", "id"], unique=False)
    op.create_index("ix_invoice_state", "invoice", ["state", "id"], unique=False)
    op.create_index("ix_payment_state", "payment", ["state", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_payment_state", table_name="payment")
    op.drop_index("ix_invoice_state", table_name="invoice")
    op.drop_index("ix_invoice_period_state", table_name="invoice")
    op.drop_index("ix_invoice_period", table_name="invoice")
    op.drop_index("ix_customer_policy", table_name="customer")
    op.drop_constraint("uq_customer_external", "customer", type_="unique")
    op.create_unique_constraint("uq_customer_external", "customer", ["external_source", "external_id"])
