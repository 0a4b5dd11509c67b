"""Models: loaded at first use, dropped when not used, kept where the memory holds them."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from starlette.exceptions import HTTPException

from romaine.server.models import Models
from romaine.server.settings import ServerSettings


async def stays():
    return False


def test_a_model_is_loaded_once_at_first_use_and_dropped_when_not_used():
    async def scenario():
        models = Models(ServerSettings(keep_alive=1))
        served = models["little-gem:latest"]
        assert served is models[None]
        assert not served.is_loaded
        found = await asyncio.gather(*(served.embedder() for _ in range(5)))
        assert len({id(each) for each in found}) == 1
        assert served.is_loaded
        for _ in range(60):
            await asyncio.sleep(0.1)
            if not served.is_loaded:
                break
        assert not served.is_loaded
        vectors = await served.embed(["again"], 64, lambda made: made.vectors, stays)
        await models.close()
        return vectors

    assert asyncio.run(scenario()).shape == (1, 64)


def test_the_memorys_model_is_loaded_once_and_stays():
    async def scenario():
        models = Models(ServerSettings(keep_alive=0.01))
        embedder = models.memory_embedder()
        served = models[None]
        await asyncio.sleep(0.1)
        assert (await served.embedder()).opened is embedder.opened
        assert served.is_loaded
        await models.close()

    asyncio.run(scenario())


def test_none_but_those_named_are_served():
    models = Models(ServerSettings(models=["a=little-gem", "b"]))
    assert [each.name for each in models] == ["a", "b"]
    for name in ("little-gem", "../a", "/etc/passwd"):
        with pytest.raises(HTTPException) as refused:
            models[name]
        assert refused.value.status_code == 404


def test_what_was_cut_is_told_by_text(minilm_int8_folder):
    async def scenario():
        models = Models(ServerSettings(models=[f"minilm={minilm_int8_folder}"]))
        window = (await models[None].embedder()).max_tokens
        texts = ["short", "key " * (window - 2), "key " * (window - 1), "key " * 3000]
        made = await models[None].embed(texts, 384, lambda made: made, stays)
        await models.close()
        return made, window

    made, window = asyncio.run(scenario())
    assert made.cut.tolist() == [False, False, True, True]
    assert made.tokens.tolist() == [3, window, window, window]
    assert np.linalg.norm(made.vectors, axis=1) == pytest.approx(1, abs=1e-6)
