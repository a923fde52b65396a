"""Plivo: form POSTs signed with HMAC-SHA256 over the URL (V2) or over the URL and the parameters (V3)."""
