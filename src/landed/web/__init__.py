"""The ways in over HTTP: callbacks of providers, the API, the dashboard."""
