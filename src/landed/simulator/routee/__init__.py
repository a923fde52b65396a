"""The stand-in for Routee: its API, and what it calls back, on the carrier that all stand-ins share."""
