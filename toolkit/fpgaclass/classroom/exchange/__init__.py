"""The exchange: labs out, submissions in with a receipt, feedback back; docs/decisions/classroom_exchange.md.

`Store` keeps it in a database, `Desk` says who may do what, `api` speaks ngshare's HTTP, `Client` asks
through it, and `plugins` are the steps that nbgrader loads.
"""

from fpgaclass.classroom.exchange.client import Client
from fpgaclass.classroom.exchange.desk import OPERATOR, Desk, Exchange
from fpgaclass.classroom.exchange.errors import RefusedError
from fpgaclass.classroom.exchange.opening import open_desk, open_exchange
from fpgaclass.classroom.exchange.store import Receipt, Store

__all__ = [
    "OPERATOR",
    "Client",
    "Desk",
    "Exchange",
    "Receipt",
    "RefusedError",
    "Store",
    "open_desk",
    "open_exchange",
]
