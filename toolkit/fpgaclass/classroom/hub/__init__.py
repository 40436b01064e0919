"""The hub: its configuration, logins, proxy, and the seats that it starts in jails."""
