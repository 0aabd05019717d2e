"""the restriction before the cut"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

STATES = "'REQUESTED', 'RESTRICTED', 'RELEASING', 'RELEASED', 'SUSPENDED', 'CANCELLED', 'REFUSED'"
ACTIONS = "'suspend', 'reconnect', 'restrict', 'release', 'change'"


def upgrade() -> None:
    op.create_table(
        "restriction",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("ticket_id", sa.Uuid(), nullable=True),
        sa.Column("release_id", sa.Uuid(), nullable=True),
        sa.Column("release_ticket_id", sa.Uuid(), nullable=True),
        sa.Column("release_procedure", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("release_wanted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(f"state IN ({STATES})", name="ck_restriction_state"),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"]),
        sa.ForeignKeyConstraint(["release_ticket_id"], ["ticket.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    live = sa.text("state IN ('REQUESTED', 'RESTRICTED', 'RELEASING')")
    op.create_index("uq_restriction_live", "restriction", ["customer_id"], unique=True, postgresql_where=live)
    op.create_index("ix_restriction_ticket", "restriction", ["ticket_id"], unique=False)
    released = sa.text("release_ticket_id IS NOT NULL")
    op.create_index("ix_restriction_release_ticket", "restriction", ["release_ticket_id"], unique=False, postgresql_where=released)
    op.create_index(
        "ix_restriction_release", "restriction", ["release_id"], unique=True, postgresql_where=sa.text("release_id IS NOT NULL")
    )
    op.add_column("simulated_service", sa.Column("restricted", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.drop_constraint("ck_network_switch_action", "network_switch", type_="check")
    op.create_check_constraint("ck_network_switch_action", "network_switch", f"action IN ({ACTIONS})")


def downgrade() -> None:
    op.drop_constraint("ck_network_switch_action", "network_switch", type_="check")
    op.create_check_constraint("ck_network_switch_action", "network_switch", "action IN ('suspend', 'reconnect', 'change')")
    op.drop_column("simulated_service", "restricted")
    op.drop_table("restriction")
