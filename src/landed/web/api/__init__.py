"""The REST API. Each router reads the request, calls one service, and gives back its shape."""
