"""Work orders on paper, laid out by the operator's own template (`templates/work_order.typ`)."""

import asyncio
import json

from services.ticketing.rules.work_orders import Order, printed
from shared.operator import Operator
from shared.press import print_short

TEMPLATE = "work_order.typ"


async def print_order(operator: Operator, order: Order) -> bytes:
    """The work order as PDF: the same order makes the same bytes. Raises PdfFailed."""
    data = json.dumps(printed(operator, order), ensure_ascii=False, sort_keys=True)
    return await asyncio.to_thread(print_short, operator, TEMPLATE, data, order.now)
