"""The page at `/`: a memory shown and put right in a browser, with the same keys and methods as the API."""

from __future__ import annotations

from fastapi import APIRouter

from romaine.server.page import changing, entering, importing, recalling, showing

router = APIRouter(include_in_schema=False)
for _part in (entering, showing, recalling, changing, importing):
    router.include_router(_part.router)
