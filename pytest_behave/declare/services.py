"""From checked shapes to records: models behind an address or a command."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pytest_behave.declare.problems import Problems
from pytest_behave.declare.schema_models import ModelPart
from pytest_behave.declare.templates import FOR_EACH, columns_in, lists_in, mentions, parse_structure, parse_text
from pytest_behave.declare.yaml_positions import Loc
from pytest_behave.records import ServiceSpec

KEYS = {
    "mlflow": {"features", "batch_size"},
    "v2": {"features", "batch_size", "model", "datatypes", "response"},
    "openai-chat": {"model", "prompt", "messages", "temperature", "max_tokens", "seed"},
    "json": {"request", "response", "batch_size"},
}
OF_EVERY_PROTOCOL = {"headers", "timeout", "retries", "concurrency", "rate"}
OUTPUTS = ("prediction", "score")
PROBA = "proba:"
SECONDS = {"s": 1, "min": 60, "h": 3600}
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
CREDENTIALS = ("authorization", "proxy-authorization")
OF_A_REQUEST = ("host", "content-length", "transfer-encoding", "connection")


def build_service(loc: Loc, part: ModelPart, folder: Path, problems: Problems) -> ServiceSpec:
    """Return how the server or command of a model is called, adding every mistake to ``problems``."""
    if part.url is None:
        _check_command((*loc, "command"), str(part.command), problems)
        return ServiceSpec(None, folder, timeout=part.timeout)
    _check_url((*loc, "url"), part.url, problems)
    _check_headers((*loc, "headers"), part.headers, problems)
    if part.protocol is None:
        problems.at_key(loc, f"`url` needs a `protocol`: {', '.join(KEYS)}")
        return ServiceSpec("json", folder)
    _check_keys(loc, part, problems)
    request = _request(loc, part, problems)
    return ServiceSpec(
        protocol=part.protocol,
        folder=folder,
        model=part.model or "",
        request=request,
        columns=tuple(dict.fromkeys(columns_in(request))),
        response=_response(loc, part, request, problems),
        parameters={
            name: value for name in ("temperature", "max_tokens", "seed") if (value := getattr(part, name)) is not None
        },
        datatypes=part.datatypes,
        headers=part.headers,
        timeout=part.timeout,
        retries=part.retries,
        concurrency=part.concurrency,
        rate=_per_second(part.rate),
    )


def rows_per_request(part: ModelPart) -> int:
    """Return how many rows a request is for."""
    is_single = part.protocol == "openai-chat" or (part.protocol == "json" and not mentions(part.request, FOR_EACH))
    return 1 if is_single else part.batch_size


def service_name(part: ModelPart) -> str:
    """Return what reports call the model, without anything secret that an address may hold."""
    if part.url is None:
        return str(part.command)
    address = urlsplit(part.url)
    return part.model or f"{address.netloc.rpartition('@')[2]}{address.path}"


def _check_keys(loc: Loc, part: ModelPart, problems: Problems) -> None:
    own = KEYS[str(part.protocol)]
    for name in sorted(part.model_fields_set & set().union(*KEYS.values()) - own):
        problems.at_key((*loc, name), f"{name!r} does nothing for the protocol {part.protocol}: remove it")
    for name in part.datatypes:
        if part.features and name not in part.features:
            problems.at_key((*loc, "datatypes", name), f"the column {name!r} is not among the `features` that are sent")
    if part.protocol in ("openai-chat", "v2") and part.model is None:
        problems.at_key(loc, f"the protocol {part.protocol} needs `model: name`, the model's name on the server")


def _check_command(loc: Loc, command: str, problems: Problems) -> None:
    try:
        words = shlex.split(command)
    except ValueError as error:
        problems.at_value(loc, f"{command!r} cannot be divided into words: {str(error).lower()}")
        return
    if not words:
        problems.at_value(loc, "the command is empty: name a program")


def _check_url(loc: Loc, url: str, problems: Problems) -> None:
    try:
        address = urlsplit(url)
        usable = address.scheme in ("http", "https") and bool(address.hostname) and (address.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or re.search(r"[\s\x00-\x1f]", url):
        problems.at_value(loc, "the url is no address, such as http://localhost:5001/invocations")
    elif "@" in address.netloc:
        problems.at_value(loc, "the url holds a password: use `headers: {Authorization: ...}` and a variable in it")


def _check_headers(loc: Loc, headers: dict[str, str], problems: Problems) -> None:
    seen: set[str] = set()
    for name, value in headers.items():
        lowered = name.lower()
        if not HEADER_NAME.fullmatch(name) or lowered in OF_A_REQUEST or lowered in seen:
            problems.at_key((*loc, name), f"{name!r} cannot be the name of a header here")
        seen.add(lowered)
        if "${" in VARIABLE.sub("", value):
            problems.at_value((*loc, name), f"the header {name} holds a ${{ that names no variable: write ${{NAME}}")
        elif lowered in CREDENTIALS and not VARIABLE.search(value):
            problems.at_value(
                (*loc, name),
                f"the header {name} would keep a secret in this file: put it into an environment variable and write "
                "Bearer ${NAME}",
            )
        elif re.search(r"[^\t\x20-\x7e]", value):
            problems.at_value((*loc, name), f"the header {name} may hold ASCII characters of one line only")


def _request(loc: Loc, part: ModelPart, problems: Problems) -> Any:
    """Return the template of a request; of a conversation, its messages."""
    if part.protocol == "openai-chat":
        return _messages(loc, part, problems)
    if part.protocol != "json":
        return None
    if part.request is None:
        problems.at_key(loc, "the protocol json needs `request`: the JSON that is sent, with {{column}} in it")
        return None
    request = parse_structure((*loc, "request"), part.request, problems)
    _check_asks((*loc, "request"), request, problems)
    has_lists = any(True for _ in lists_in(request))
    outside = next(columns_in(request, within_lists=False), None)
    if has_lists and outside is not None:
        problems.at_key(
            (*loc, "request"), f"{{{{{outside}}}}} stands outside of `for_each`, where there is more than one row"
        )
    if not has_lists and "batch_size" in part.model_fields_set:
        problems.at_key((*loc, "batch_size"), "'batch_size' does nothing without `for_each` in the request: remove it")
    return request


def _messages(loc: Loc, part: ModelPart, problems: Problems) -> list[dict[str, Any]]:
    if (part.prompt is None) == (part.messages is None):
        problems.at_key(loc, "the protocol openai-chat needs `prompt` or `messages`, one of them")
        return []
    if part.prompt is not None:
        messages = [{"role": "user", "content": parse_text((*loc, "prompt"), part.prompt, problems)}]
        _check_asks((*loc, "prompt"), messages, problems)
        return messages
    messages = [
        {
            "role": message.role,
            "content": parse_text((*loc, "messages", index, "content"), message.content, problems),
        }
        for index, message in enumerate(part.messages or ())
    ]
    _check_asks((*loc, "messages"), messages, problems)
    return messages


def _check_asks(loc: Loc, template: Any, problems: Problems) -> None:
    if next(columns_in(template), None) is None:
        problems.at_key(loc, f"`{loc[-1]}` asks the same of every row: put {{{{column}}}} where a value goes")


def _response(loc: Loc, part: ModelPart, request: Any, problems: Problems) -> dict[str, str]:
    if part.protocol not in ("json", "v2"):
        return {}
    loc = (*loc, "response")
    if part.response is None:
        if part.protocol == "json":
            problems.at_key(loc[:-1], "the protocol json needs `response`: where the answer is, such as data.0.label")
        return {}
    response = {"prediction": part.response} if isinstance(part.response, str) else part.response
    if not any(name in OUTPUTS or name.startswith(PROBA) for name in response):
        problems.at_value(loc, "`response` must say where `prediction` or `score` is")
    if part.protocol == "json":
        stars = int(any(True for _ in lists_in(request)))
        for name, path in response.items():
            _check_path(loc if isinstance(part.response, str) else (*loc, name), path, stars, problems)
    return response


def _check_path(loc: Loc, path: str, stars: int, problems: Problems) -> None:
    parts = path.split(".")
    if not all(parts):
        problems.at_value(loc, f"{path!r} is no path, such as data.0.label")
    elif parts.count("*") != stars:
        problems.at_value(
            loc,
            f"{path!r} needs one * where the rows of `for_each` are, such as data.*.label"
            if stars
            else f"{path!r} may have * only if the request has `for_each`",
        )


def _per_second(rate: float | str | None) -> float | None:
    if rate is None or not isinstance(rate, str):
        return rate
    count, _, unit = rate.partition("/")
    return int(count) / SECONDS[unit.strip()]
