"""What a server may be told, under one set of names: flags, `ROMAINE_...` variables, a TOML file."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from romaine.embedder import DEFAULT_MODEL
from romaine.errors import OptionError

CONFIG_VARIABLE = "ROMAINE_CONFIG"
"""Names the TOML file."""

LOCAL_PAGES = "localhost"
"""Stands among origins for every page that a program on the browser's own machine serves."""

LOCAL_ORIGIN = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?"
"""What such a page's origin looks like."""


def _split(value: Any) -> Any:
    """A flag's or a variable's "a,b" as a list."""
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)):
        return parts
    return [each.strip() for part in parts for each in str(part).split(",") if each.strip()]


def _as_text(value: Any) -> Any:
    """A path as the text that a URL is given as, too."""
    return str(value) if isinstance(value, Path) else value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class ServerSettings(BaseSettings):
    """Everything a server may be told. A flag wins over a variable, a variable over the file."""

    model_config = SettingsConfigDict(
        env_prefix="ROMAINE_",
        frozen=True,
        extra="forbid",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
        cli_prog_name="romaine serve",
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 for any free one.")
    workers: int = Field(1, ge=1, description="Processes; each loads its own models.")

    models: Names = Field(
        (DEFAULT_MODEL,),
        description="Models served, the first by default: NAME, or NAME=MODEL to serve a model or folder"
        " under another name.",
    )
    backend: str = Field("auto", description="Backend of the models.")
    variant: str | None = Field(None, description="ONNX file of the models: fp32 or int8.")
    device: str | None = Field(None, description="cpu, cuda, cuda:1 or mps.")
    threads: int = Field(
        1, ge=1, description="Threads of a batch; as many batches of a model run at once as cores are left."
    )
    offline: bool = Field(False, description="Never download a model.")
    role: Literal["document", "query"] = Field(
        "document", description="Whose prompt is used where a request does not say."
    )
    keep_alive: float = Field(1800, gt=0, description="Seconds until a model not used is dropped.")
    batch_tokens: int = Field(8192, ge=1, description="Tokens that go through a model together, about.")
    max_waiting_tokens: int = Field(
        1_000_000, ge=1, description="Tokens that may wait for one model, about; more is answered with 429."
    )

    memory: Annotated[str | None, BeforeValidator(_as_text)] = Field(
        None, description="The memory's file, made if it is not there, or postgresql://..."
    )
    late_interaction: Literal["stored", "computed", "off"] | None = Field(
        None, description="Where the memory has the vectors of tokens from; the file's own if not given."
    )

    keys: Path | None = Field(None, description="The file of keys, as `romaine keys make` writes it.")
    insecure: bool = Field(False, description="Serve a public address without keys.")
    cors: Names = Field(
        (),
        description="Origins whose pages may call, e.g. https://risuai.xyz; localhost for all pages of this"
        " machine, null for sandboxed pages, which needs keys.",
    )
    hosts: Names = Field((), description="Host names served besides the address itself, e.g. my.example.org.")
    rate: int | None = Field(None, ge=1, description="Requests a minute that one key may make.")

    max_body_bytes: int = Field(8 << 20, ge=1, description="Bytes of a request's body.")
    max_import_bytes: int = Field(256 << 20, ge=1, description="Bytes of a file to import.")
    max_items: int = Field(2048, ge=1, description="Texts of one request.")
    max_requests: int = Field(1024, ge=1, description="Requests at work at once; more are answered with 429.")
    timeout: float = Field(60, gt=0, description="Seconds until a request is given up.")
    shutdown_timeout: int = Field(30, ge=1, description="Seconds that accepted requests have at the end.")
    access_log: bool = Field(True, description="Log each request as a line of JSON, without its texts.")

    @classmethod
    def of_flags(cls, flags: Sequence[str]) -> ServerSettings:
        """Reads a command line, and what it leaves out from the other sources.

        Raises:
            OptionError: If a value is not allowed.
            SystemExit: After `--help`, or if a flag is unknown.
        """
        try:
            return cls(_cli_parse_args=list(flags))  # type: ignore[call-arg]
        except ValidationError as error:
            said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise OptionError(f"{said}; see romaine serve --help") from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Where values come from, the strongest first; flags are put before these."""
        file = os.environ.get(CONFIG_VARIABLE)
        if file and not Path(file).is_file():
            raise OptionError(f"{CONFIG_VARIABLE}={file!r} is no file; name a TOML file or unset it")
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=file)

    @property
    def sources(self) -> dict[str, str]:
        """Model to open by the name it is served under."""
        named = (each.partition("=") for each in self.models)
        return {name: model or name for name, _, model in named}

    @property
    def is_public(self) -> bool:
        """Whether others than this machine can reach it."""
        if self.host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return True

    def lets_in(self, origin: str) -> bool:
        """Whether pages of an origin may call."""
        is_local = LOCAL_PAGES in self.cors and re.fullmatch(LOCAL_ORIGIN, origin) is not None
        return is_local or origin in self.cors

    def check(self) -> None:
        """Checks what does not fit together.

        Raises:
            OptionError: If a public address or sandboxed pages would be served without keys, a name twice
                or no model.
        """
        if self.is_public and self.keys is None and not self.insecure:
            raise OptionError(
                f"host={self.host!r} can be reached by others and no keys are set: make one with"
                " `romaine keys make --keys FILE --user NAME` and pass --keys FILE, or pass --insecure"
            )
        if "null" in self.cors and self.keys is None:
            raise OptionError(
                "cors=null lets in every page that puts itself in a sandbox, and no keys are set: make one"
                " with `romaine keys make --keys FILE --user NAME` and pass --keys FILE"
            )
        if len(self.sources) != len(self.models) or not self.models:
            raise OptionError(f"models={list(self.models)} must be names, each once, and one at least")
