"""Money is counted in purses; no POST is sent that is not reserved there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

CHARGED = sa.text("cost_unit IS NOT NULL AND NOT emulated AND state NOT IN ('failed', 'cancelled')")
UNPRICED = sa.text("expected < 0")
SENT = "('submitting', 'queued', 'running', 'downloading')"


def upgrade() -> None:
    """The schema gains the books; what earlier jobs cost is entered in the folder's purse."""
    op.add_column("jobs", sa.Column("purse", sa.Text))
    op.create_index("ix_jobs_charged", "jobs", ["model", "created_at"], sqlite_where=CHARGED, postgresql_where=CHARGED)
    purses()
    reservations()
    enter_earlier_jobs()
    guard()


def purses() -> None:
    """The table of sums."""
    op.create_table(
        "purses",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("book", sa.Text, primary_key=True),
        sa.Column("unit", sa.Text, primary_key=True),
        sa.Column("cap", sa.Double),
        sa.Column("settled", sa.Double, nullable=False),
        sa.Column("reserved", sa.Double, nullable=False),
        sa.Column("unclear", sa.Double, nullable=False),
        sa.Column("forgiven", sa.Double, nullable=False),
    )


def reservations() -> None:
    """The table of each job's part in the sums."""
    op.create_table(
        "reservations",
        sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("attempt", sa.Integer, primary_key=True),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("book", sa.Text, nullable=False),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("amount", sa.Double, nullable=False),
        sa.Column("highest", sa.Double, nullable=False),
        sa.Column("expected", sa.Double, nullable=False),
        sa.Column("charged", sa.Double),
        sa.Column("purses", sa.Text, nullable=False),
        sa.Column("booked", sa.Text, nullable=False),
    )
    op.create_index("ix_reservations_at", "reservations", ["book", "at"])
    op.create_index(
        "ix_reservations_unpriced", "reservations", ["job_id"], sqlite_where=UNPRICED, postgresql_where=UNPRICED
    )


def enter_earlier_jobs() -> None:
    """Book what is known of the jobs that were made before; those without a cost are priced by the ledger later."""
    op.execute(
        f"""
        INSERT INTO reservations (job_id, attempt, at, book, unit, amount, highest, expected, charged, purses, booked)
        SELECT id, 0, coalesce(submitted_at, created_at), CASE WHEN emulated THEN 'emulated' ELSE 'real' END,
            CASE cost_unit WHEN 'CREDITS' THEN 'CREDITS:' || provider ELSE coalesce(cost_unit, '') END,
            coalesce(cost_amount, 0), coalesce(cost_amount, 0),
            CASE WHEN cost_unit IS NULL AND NOT emulated THEN -1 ELSE coalesce(cost_amount, 0) END,
            cost_amount, '[""]',
            CASE
                WHEN state = 'done' THEN 'settled'
                WHEN state = 'intended' THEN 'reserved'
                WHEN state IN {SENT} THEN CASE WHEN cost_unit IS NULL THEN 'reserved' ELSE 'settled' END
                WHEN state = 'ambiguous' THEN 'unclear'
                WHEN submitted_at IS NULL THEN 'returned'
                WHEN error LIKE '%"charged"\\:false%' THEN 'returned'
                WHEN error LIKE '%"charged"\\:true%' THEN 'settled'
                ELSE 'unclear'
            END
        FROM jobs
        """
    )
    sums = ", ".join(
        f"sum(CASE booked WHEN '{booked}' THEN {{0}} ELSE 0 END)" for booked in ("settled", "reserved", "unclear")
    )
    for unit, amount, where in (("unit", "amount", "unit <> ''"), ("'JOBS'", "1", "1 = 1")):
        op.execute(
            "INSERT INTO purses (name, book, unit, settled, reserved, unclear, forgiven) "
            f"SELECT '', book, {unit} AS unit_of, {sums.format(amount)}, 0 FROM reservations WHERE {where} "
            "GROUP BY book, unit_of"
        )


def guard() -> None:
    """Refuse a job that is about to be sent without a reservation, whichever version of vidnb sends it."""
    missing = "NOT EXISTS (SELECT 1 FROM reservations WHERE job_id = NEW.id AND booked = 'reserved')"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"""
            CREATE TRIGGER paid_for BEFORE UPDATE OF state ON jobs
            WHEN NEW.state = 'submitting' AND {missing}
            BEGIN SELECT RAISE(ABORT, 'no reservation for this job'); END
            """
        )
        return
    op.execute(
        f"""
        CREATE FUNCTION vidnb_paid_for() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF {missing} THEN RAISE EXCEPTION 'no reservation for this job'; END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER paid_for BEFORE UPDATE OF state ON jobs FOR EACH ROW
        WHEN (NEW.state = 'submitting') EXECUTE FUNCTION vidnb_paid_for()
        """
    )
