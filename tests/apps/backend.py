"""A model that answers as OpenAI's API does, remembers every prompt and says what it is told to say."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# what is said in more than one app
SECRET = "I hid the silver key under the third step of the old mill."
QUESTION = "Where did you hide the silver key?"
WEATHER = (
    "The road went on through the wet fields, past grey willows and a broken cart, and the rain came down in"
    " long cold strings; number {} of the crows on the fence looked at us and said nothing at all. We ate the"
    " last of the bread, counted our coins, mended a strap, and walked until the light was gone from there. "
) * 3


class Backend:
    """Serves on a free port until it is closed."""

    def __init__(self) -> None:
        self.prompts: list[list[dict[str, Any]]] = []
        self.replies: list[str] = []
        backend = self

        class Handler(BaseHTTPRequestHandler):
            def do_OPTIONS(self) -> None:
                self._answer({})

            def do_GET(self) -> None:
                self._answer({"object": "list", "data": [{"id": "parrot", "object": "model"}]})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                backend.prompts.append(body["messages"])
                said = backend.replies.pop(0) if backend.replies else f"Reply {len(backend.prompts)}."
                choice = {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": said},
                }
                self._answer(
                    {
                        "id": "x",
                        "object": "chat.completion",
                        "created": 0,
                        "model": "parrot",
                        "choices": [choice],
                        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
                    }
                )

            def _answer(self, content: object) -> None:
                body = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Access-Control-Allow-Origin", "*")
                self.send_header("Access-Control-Allow-Headers", "*")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def prompt(self) -> str:
        """The last prompt as one text."""
        return "\n".join(str(message["content"]) for message in self.prompts[-1])

    def memories(self, prompt: int = -1) -> str:
        """What of a prompt the memory put there, or nothing."""
        parts = [str(message["content"]) for message in self.prompts[prompt]]
        return "\n".join(part for part in parts if "What was said long before" in part)
