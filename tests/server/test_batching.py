"""Batches across requests: together, in turn, within limits; who leaves or fails harms nobody else."""

from __future__ import annotations

import asyncio
import threading
import time

import numpy as np
import pytest
from starlette.exceptions import HTTPException

from romaine.server.batching import Batcher, EmbeddedTexts
from romaine.server.errors import TooBusyError


class Model:
    """Gives each text its number as a vector; can be held up."""

    def __init__(self):
        self.batches = []
        self.go_on = threading.Event()
        self.go_on.set()

    def encode(self, texts):
        self.go_on.wait(10)
        self.batches.append(list(texts))
        if "poison" in texts:
            raise ValueError("poison")
        vectors = np.array([[float(len(text)), 1.0] for text in texts], dtype=np.float32)
        return EmbeddedTexts(
            vectors, np.ones(len(texts), dtype=np.int64), np.zeros(len(texts), dtype=np.bool_)
        )


async def stays():
    return False


async def left():
    return True


def first(made):
    return made.vectors[:, 0] / made.vectors[:, 1]


def run(scenario, model=None, **limits):
    model = model or Model()

    async def main():
        batcher = Batcher(
            model.encode, **{"batch_tokens": 1000, "max_waiting_tokens": 10_000, "timeout": 10, **limits}
        )
        try:
            return await scenario(batcher, model)
        finally:
            model.go_on.set()
            batcher.pool.shutdown()

    return asyncio.run(main())


def ask(batcher, texts, gone=stays):
    return asyncio.ensure_future(batcher.submit(texts, 2, first, gone))


def test_what_waits_goes_through_together_and_comes_back_apart():
    async def scenario(batcher, model):
        model.go_on.clear()
        tasks = [ask(batcher, ["x" * i for i in range(1, n + 1)]) for n in range(1, 30)]
        await asyncio.sleep(0.05)
        model.go_on.set()
        return await asyncio.gather(*tasks), model.batches

    found, batches = run(scenario)
    for n, values in enumerate(found, 1):
        assert values == pytest.approx(np.arange(1, n + 1), rel=1e-5)
    assert len(batches) < 10


def test_a_batch_keeps_to_its_tokens_and_a_large_request_lets_others_pass():
    async def scenario(batcher, model):
        model.go_on.clear()
        order = []
        large = ask(batcher, ["y" * 30] * 100)
        await asyncio.sleep(0.05)
        small = ask(batcher, ["x"])
        large.add_done_callback(lambda _: order.append("large"))
        small.add_done_callback(lambda _: order.append("small"))
        model.go_on.set()
        assert len(await large) == 100
        await small
        return order, model.batches

    order, batches = run(scenario, batch_tokens=60)
    assert order == ["small", "large"]
    assert max(map(len, batches)) <= 60 // 12 + 1
    assert "x" in batches[1] + batches[2]


def test_one_that_fails_fails_alone():
    async def scenario(batcher, model):
        model.go_on.clear()
        tasks = [ask(batcher, [text]) for text in ("good", "poison", "better")]
        await asyncio.sleep(0.05)
        model.go_on.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    good, poison, better = run(scenario)
    assert good == pytest.approx([4])
    assert better == pytest.approx([6])
    assert isinstance(poison, ValueError)


def test_what_raises_in_finish_is_its_own_requests():
    async def scenario(batcher, model):
        def fails(made):
            raise ValueError("mine")

        with pytest.raises(ValueError, match="mine"):
            await batcher.submit(["x"], 2, fails, stays)
        return await ask(batcher, ["x"])

    assert run(scenario) == pytest.approx([1])


def test_too_much_is_refused_and_the_accepted_finish():
    async def scenario(batcher, model):
        model.go_on.clear()
        tasks = [ask(batcher, ["x" * 30]) for _ in range(50)]
        await asyncio.sleep(0.05)
        model.go_on.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert batcher.waiting_tokens == 0
        assert batcher.is_idle
        return found

    found = run(scenario, max_waiting_tokens=120)
    refused = [each for each in found if isinstance(each, TooBusyError)]
    assert len(refused) == 40
    assert refused[0].retry_after >= 1
    assert all(each == pytest.approx([30], rel=1e-5) for each in found if not isinstance(each, TooBusyError))


def test_who_left_is_not_worked_for():
    async def scenario(batcher, model):
        model.go_on.clear()
        here = ask(batcher, ["here"])
        await asyncio.sleep(0.05)
        away, waits = ask(batcher, ["away"], left), ask(batcher, ["waits"])
        await asyncio.sleep(0.2)
        model.go_on.set()
        found = await asyncio.gather(here, away, waits, return_exceptions=True)
        assert batcher.waiting_tokens == 0
        return found, model.batches

    found, batches = run(scenario)
    assert isinstance(found[1], HTTPException)
    assert found[1].status_code == 499
    assert ["away"] not in batches
    assert found[2] == pytest.approx([5])


def test_what_takes_too_long_is_given_up():
    async def scenario(batcher, model):
        model.go_on.clear()
        started = time.monotonic()
        tasks = [ask(batcher, ["a"]), ask(batcher, ["b"])]
        found = await asyncio.gather(*tasks, return_exceptions=True)
        model.go_on.set()
        return found, time.monotonic() - started

    found, took = run(scenario, timeout=0.2)
    assert [type(each) for each in found] == [TimeoutError, TimeoutError]
    assert took < 5


def test_workers_share_what_waits_and_a_request_comes_back_in_its_order():
    class Slow(Model):
        def encode(self, texts):
            time.sleep(0.05 if len(texts[0]) % 2 else 0.01)  # the first half is done last
            return super().encode(texts)

    async def scenario(batcher, model):
        many = [chr(97 + i) * (i + 1) for i in range(20)]
        whole, *singles = await asyncio.gather(
            ask(batcher, many), *(ask(batcher, ["x" * (i + 1)]) for i in range(10))
        )
        assert whole.tolist() == pytest.approx([i + 1 for i in range(20)])
        assert [one.item() for one in singles] == pytest.approx([i + 1 for i in range(10)])
        assert batcher.is_idle
        assert batcher.waiting_tokens == 0

    model = Slow()
    run(scenario, model, workers=2)
    assert len(model.batches) > 1
    assert sum(map(len, model.batches)) == 30


def test_two_batches_are_at_work_at_once():
    started = threading.Barrier(2, timeout=10)

    class Meeting(Model):
        def encode(self, texts):
            started.wait()
            return super().encode(texts)

    async def scenario(batcher, model):
        await asyncio.gather(ask(batcher, ["a"]), ask(batcher, ["bb"]))
        await ask(batcher, ["a", "bb"])  # of one request, too

    run(scenario, Meeting(), workers=2)


def test_small_batches_of_a_table_are_made_where_they_are_asked_for():
    async def scenario(batcher, model):
        threads = []
        encode = batcher._encode
        batcher._encode = lambda texts: (threads.append(threading.current_thread()), encode(texts))[1]
        batcher.inline_tokens = 10
        assert list(await ask(batcher, ["a"])) == [1]
        assert list(await ask(batcher, ["a" * 60])) == pytest.approx([60])
        return threads

    here, elsewhere = run(scenario)
    assert here is threading.current_thread() is not elsewhere
