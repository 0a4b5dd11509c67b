#!/usr/bin/env bash
# Starts a server on a free port, sends a chat through it with curl, asks it a question and prints what it recalls.
#   examples/server_demo.sh [PYTHON]
set -euo pipefail
python=${1:-python3}
folder=$(mktemp -d)
"$python" -m romaine serve --port 0 --memory "$folder/memories.db" 2> "$folder/log" &
server=$!
trap 'kill $server 2> /dev/null; wait $server 2> /dev/null || true; rm -rf "$folder"' EXIT
url=
for _ in $(seq 300); do
    url=$(sed -n 's/.*Uvicorn running on \(http[^ ]*\).*/\1/p' "$folder/log")
    [ -n "$url" ] && curl -sf "$url/ready" > /dev/null && break
    kill -0 $server 2> /dev/null || { cat "$folder/log"; exit 1; }
    sleep 0.1
done

echo "== the server: $url"
echo "== a vector, as OpenAI's clients ask for it"
curl -sf "$url/v1/embeddings" -d '{"input": "Where is the key?", "dimensions": 32}' | head -c 150
echo " ..."

scope='{"user": "ana", "character": "Cassian", "chat": "tavern"}'
json='Content-Type: application/json'
echo "== a chat"
curl -sf "$url/v1/memory/turns" -H "$json" -d '{"scope": '"$scope"', "turns": [
    {"source_id": "1", "role": "user", "speaker": "Ana", "text": "Did you lock the tower again, Cassian?"},
    {"source_id": "2", "role": "character", "speaker": "Cassian", "text": "I did. The silver key lies under the third step."},
    {"source_id": "3", "role": "user", "speaker": "Ana", "text": "And what is there for supper?"},
    {"source_id": "4", "role": "character", "speaker": "Cassian", "text": "Onion soup, and the last of the bread."}]}'
echo
echo "== what it recalls, asked where the key is"
curl -sf "$url/v1/memory/recall" -H "$json" -d '{"scope": '"$scope"', "query": "Where is the key to the tower?", "k": 1}' |
    "$python" -c 'import json, sys; print(*(hit["memory"]["text"] for hit in json.load(sys.stdin)["hits"]), sep="\n")'
