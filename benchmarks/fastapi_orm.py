"""A webhook as most people write it in Python: FastAPI, SQLAlchemy's ORM, one transaction per request.

Run by uvicorn as `benchmarks.fastapi_orm:app`, with DATABASE_URL, AUTH_TOKEN and PUBLIC_URL in the environment.
"""

import base64
import hashlib
import hmac
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, FastAPI, Header, HTTPException, Request
from sqlalchemy import DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ["DATABASE_URL"])
sessions = async_sessionmaker(engine)


class Base(DeclarativeBase):
    pass


class Callback(Base):
    __tablename__ = "callbacks"

    id: Mapped[int] = mapped_column(primary_key=True)
    message_uuid: Mapped[str] = mapped_column(index=True)
    status: Mapped[str]
    fields: Mapped[dict[str, str]] = mapped_column(JSONB)
    received_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield


app = FastAPI(lifespan=lifespan)


async def session() -> AsyncIterator[AsyncSession]:
    async with sessions() as opened:
        yield opened


@app.post("/plivo/status")
async def status(
    request: Request,
    session: Annotated[AsyncSession, Depends(session)],
    x_plivo_signature_v2: Annotated[str, Header()],
    x_plivo_signature_v2_nonce: Annotated[str, Header()],
) -> dict[str, bool]:
    signed = f"{os.environ['PUBLIC_URL']}{request.url.path}{x_plivo_signature_v2_nonce}"
    digest = hmac.digest(os.environ["AUTH_TOKEN"].encode(), signed.encode(), hashlib.sha256)
    if not hmac.compare_digest(base64.b64encode(digest), x_plivo_signature_v2.encode()):
        raise HTTPException(403, "signature")
    form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
    session.add(
        Callback(message_uuid=form["MessageUUID"], status=form["Status"], fields=form, received_at=datetime.now(UTC))
    )
    await session.commit()
    return {"ok": True}
