"""tickets that people open, their documents, and what they must know of a customer"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

EMPTY_LIST, EMPTY = sa.text("'[]'"), sa.text("'{}'")


def upgrade() -> None:
    op.create_table(
        "document",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("ticket_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("stored_by", sa.String(), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_document_customer", "document", ["customer_id", "id"], unique=False)
    op.create_index("ix_document_ticket", "document", ["ticket_id"], unique=False, postgresql_where=sa.text("ticket_id IS NOT NULL"))
    op.create_table(
        "document_part",
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"]),
        sa.PrimaryKeyConstraint("document_id", "number"),
    )
    op.add_column("ticket", sa.Column("parent_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(None, "ticket", "ticket", ["parent_id"], ["id"])
    op.create_index("ix_ticket_parent", "ticket", ["parent_id"], unique=False, postgresql_where=sa.text("parent_id IS NOT NULL"))
    op.add_column("ticket", sa.Column("facts", postgresql.JSONB(), server_default=EMPTY_LIST, nullable=False))
    op.add_column("ticket_step", sa.Column("filled", postgresql.JSONB(), server_default=EMPTY, nullable=False))
    op.add_column("customer", sa.Column("about", postgresql.JSONB(), server_default=EMPTY, nullable=False))
    op.add_column("invoice", sa.Column("number", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("invoice", sa.Column("due_date", sa.Date(), nullable=True))
    op.add_column("invoice", sa.Column("credited", sa.Numeric(precision=18, scale=4), server_default=sa.text("0"), nullable=False))
    op.add_column("invoice", sa.Column("currency", sa.CHAR(length=3), nullable=True))
    op.create_index("ix_invoice_customer", "invoice", ["customer_id"], unique=False)
    op.add_column("network_switch", sa.Column("plan", sa.String(), nullable=True))
    op.drop_constraint("ck_network_switch_action", "network_switch", type_="check")
    op.create_check_constraint("ck_network_switch_action", "network_switch", "action IN ('suspend', 'reconnect', 'change')")
    op.create_check_constraint("ck_network_switch_plan", "network_switch", "(action = 'change') = (plan IS NOT NULL)")
    op.add_column("simulated_service", sa.Column("plan", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("simulated_service", "plan")
    op.execute("DELETE FROM network_switch WHERE action = 'change'")
    op.drop_constraint("ck_network_switch_plan", "network_switch", type_="check")
    op.drop_constraint("ck_network_switch_action", "network_switch", type_="check")
    op.create_check_constraint("ck_network_switch_action", "network_switch", "action IN ('suspend', 'reconnect')")
    op.drop_column("network_switch", "plan")
    op.drop_index("ix_invoice_customer", table_name="invoice")
    op.drop_column("invoice", "currency")
    op.drop_column("invoice", "credited")
    op.drop_column("invoice", "due_date")
    op.drop_column("invoice", "number")
    op.drop_column("customer", "about")
    op.drop_column("ticket_step", "filled")
    op.drop_column("ticket", "facts")
    op.drop_index("ix_ticket_parent", table_name="ticket")
    op.drop_column("ticket", "parent_id")
    op.drop_table("document_part")
    op.drop_table("document")
