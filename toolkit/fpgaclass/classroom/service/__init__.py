"""The class's own service in the hub: the exchange, and the pages that show the class to its members."""

PREFIX = "/services/class/"
"""Where the hub shows it."""

__all__ = ["PREFIX"]
