"""OpenAI's endpoints, and what llama.cpp's, RisuAI's and KoboldCpp's clients send, as they send it."""

from __future__ import annotations

import base64

import numpy as np
import pytest

TEXTS = ["The key is under the third step.", "", "Où est la clé ?", "\U0001f511 key", "a\x00b"]


def rows(answer):
    assert answer.status_code == 200, answer.text
    return np.array([each["embedding"] for each in answer.json()["data"]], dtype=np.float32)


def test_vectors_are_the_embedders(client_of, gem):
    client = client_of()
    answer = client.post("/v1/embeddings", json={"model": "little-gem", "input": TEXTS, "user": "x"})
    assert rows(answer) == pytest.approx(gem.embed_documents(TEXTS), abs=1e-6)
    said = answer.json()
    assert [each["index"] for each in said["data"]] == list(range(len(TEXTS)))
    assert {each["object"] for each in said["data"]} == {"embedding"}
    assert said["object"] == "list"
    assert said["model"] == "little-gem"
    tokens = sum(gem.count_tokens(TEXTS))
    assert said["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}


def test_one_text_is_a_list_of_one(client_of, gem):
    found = rows(client_of().post("/embeddings", json={"input": TEXTS[0]}))
    assert found == pytest.approx(gem.embed_documents(TEXTS[:1]), abs=1e-6)


def test_half_an_emoji_as_javascript_cuts_it_is_a_replacement_character(client_of, gem):
    client = client_of()
    for path, name in (("/v1/embeddings", "input"), ("/api/embed", "input"), ("/embed", "inputs")):
        answer = client.post(
            path, content=b'{"%s": ["key \\ud83d", "\\udd11 \\ud83d\\udd11"]}' % name.encode()
        )
        assert answer.status_code == 200
    found = rows(client.post("/v1/embeddings", content=b'{"input": ["key \\ud83d"]}'))
    assert found == pytest.approx(gem.embed_documents(["key \ufffd"]), abs=1e-6)


def test_no_texts_are_an_empty_answer(client_of):
    said = client_of().post("/v1/embeddings", json={"input": []}).json()
    assert said["data"] == []
    assert said["usage"]["total_tokens"] == 0


def test_dimensions_slice_and_renormalise(client_of, gem):
    client = client_of()
    found = rows(client.post("/v1/embeddings", json={"input": TEXTS[:1], "dimensions": 64}))
    assert found == pytest.approx(gem.with_dim(64).embed_documents(TEXTS[:1]), abs=1e-6)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-6)
    for wrong in (63, 0, -1, 10**30):
        refused = client.post("/v1/embeddings", json={"input": "x", "dimensions": wrong})
        assert refused.status_code == 400
    refused = client.post("/v1/embeddings", json={"input": "x", "dimensions": 63})
    assert "32, 64, 128, 256, 384" in refused.json()["error"]["message"]


def test_base64_holds_little_endian_floats(client_of, gem):
    answer = client_of().post("/v1/embeddings", json={"input": TEXTS, "encoding_format": "base64"})
    found = [np.frombuffer(base64.b64decode(each["embedding"]), "<f4") for each in answer.json()["data"]]
    assert np.array(found) == pytest.approx(gem.embed_documents(TEXTS), abs=1e-6)


def test_token_ids_are_those_of_the_models_own_tokenizer(client_of, gem):
    tokenizer, texts = gem.opened.backend.tokenizer, ["the key is under the step", "lantern light"]
    ids = tokenizer.encode(texts, add_special_tokens=False).to_lists()
    client = client_of()
    assert rows(client.post("/v1/embeddings", json={"input": ids})) == pytest.approx(
        gem.embed_documents(texts), abs=1e-6
    )
    assert len(rows(client.post("/v1/embeddings", json={"input": ids[0]}))) == 1
    foreign = client.post("/v1/embeddings", json={"input": [10**6]})
    assert foreign.status_code == 400
    assert "check_embedding_ctx_length" in foreign.json()["error"]["message"]


def test_a_long_text_is_cut_and_told_or_refused(client_of, minilm_int8_folder):
    client = client_of(models=[f"minilm={minilm_int8_folder}"])
    texts = ["short", "key " * 2000]
    answer = client.post("/v1/embeddings", json={"input": texts})
    assert answer.headers["x-truncated"] == "1; inputs=1"
    assert "x-truncated" not in client.post("/v1/embeddings", json={"input": "short"}).headers
    refused = client.post("/v1/embeddings", json={"input": texts, "truncate": False})
    assert refused.status_code == 413
    assert "text 1" in refused.json()["error"]["message"]


def test_texts_in_an_unknown_script_are_told(client_of, caplog):
    client = client_of()
    texts = ["열쇠를 세 번째 계단 밑에 숨겼어.", "그 얘기는 아무에게도 하지 마."]
    for _ in range(2):
        answer = client.post("/v1/embeddings", json={"input": texts})
        assert answer.headers["x-unfamiliar-script"] == "little-gem"
    ranked = client.post("/v1/rerank", json={"query": texts[0], "documents": texts[1:]})
    assert ranked.headers["x-unfamiliar-script"] == "little-gem"
    assert "x-unfamiliar-script" not in client.post("/v1/embeddings", json={"input": "short"}).headers
    (line,) = [record.message for record in caplog.records if "script" in record.message]
    assert "romaine[multilingual]" in line
    assert not any(text in line for text in texts)


def test_queries_and_documents_have_their_prompts(client_of, modernbert_folder):
    from romaine import Embedder

    embedder = Embedder(modernbert_folder)
    if embedder.card.prompts.query == embedder.card.prompts.document:
        pytest.skip("this model has no prompts")
    texts = ["where is the key"]
    query, document = embedder.embed_queries(texts), embedder.embed_documents(texts)
    client = client_of(models=[f"m={modernbert_folder}"])
    for asked, wanted in (
        ({}, document),
        ({"input_type": "query"}, query),
        ({"input_type": "search_document"}, document),
        ({"prompt_name": "query"}, query),
        ({"input_type": "classification"}, document),
    ):
        found = rows(client.post("/v1/embeddings", json={"input": texts, **asked}))
        assert found == pytest.approx(wanted, abs=1e-6)
    found = rows(
        client_of(models=[f"m={modernbert_folder}"], role="query").post("/embeddings", json={"input": texts})
    )
    assert found == pytest.approx(query, abs=1e-6)
    assert client.post("/v1/embeddings", json={"input": "x", "prompt_name": "other"}).status_code == 400


def test_models_are_told_and_no_other_is_served(client_of):
    client = client_of(models=["a=little-gem", "b=little-gem"])
    assert [each["id"] for each in client.get("/v1/models").json()["data"]] == ["a", "b"]
    assert client.get("/v1/models/a").json()["object"] == "model"
    refused = client.post("/v1/embeddings", json={"model": "text-embedding-3-small", "input": "x"})
    assert refused.status_code == 404
    assert refused.json()["error"]["code"] == "model_not_found"
    assert client.get("/v1/models/..%2F..%2Fetc").status_code == 404


def test_as_sillytavern_sends_it_in_llama_cpp_mode(client_of, gem):
    batch = [f"message {i}" for i in range(10)]
    found = rows(client_of().post("/v1/embeddings", json={"input": batch}))
    assert found == pytest.approx(gem.embed_documents(batch), abs=1e-6)


def test_as_risuai_sends_it(client_of, gem):
    batch = [f"memory {i}" for i in range(50)]
    headers = {"Origin": "https://risuai.xyz", "Content-Type": "application/json", "Authorization": "Bearer "}
    client = client_of(cors=["https://risuai.xyz"])
    answer = client.post("/v1/embeddings", json={"input": batch}, headers=headers)
    found = rows(answer)
    assert found == pytest.approx(gem.embed_documents(batch), abs=1e-6)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-6)
    assert answer.headers["access-control-allow-origin"] == "https://risuai.xyz"


@pytest.mark.parametrize("kind", ["text/plain;charset=UTF-8", "application/x-www-form-urlencoded", None])
def test_as_koboldcpps_clients_send_it(client_of, gem, kind):
    headers = {} if kind is None else {"Content-Type": kind}
    body = b'{"input": ["where is the key", "under the step"]}'
    answer = client_of().post("/api/extra/embeddings", content=body, headers=headers)
    assert rows(answer) == pytest.approx(
        gem.embed_documents(["where is the key", "under the step"]), abs=1e-6
    )
    assert answer.json()["model"] == "little-gem"
