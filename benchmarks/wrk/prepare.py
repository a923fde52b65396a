"""Sign callbacks for signed.lua: `python prepare.py URL AUTH_TOKEN COUNT > FILE`. Each has its own nonce and message."""

import sys
import uuid

from landed.providers.plivo.signatures import sign_v2


def main(url: str, auth_token: str, count: int) -> None:
    for number in range(count):
        nonce = f"{10**19 + number}"
        sys.stdout.write(f"{nonce}\t{sign_v2(url, nonce, auth_token)}\t{uuid.uuid4()}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
