"""One request to a server, tried again where that can help: JSON in, JSON out."""

from __future__ import annotations

import ipaddress
import json
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit, urlunsplit

from pytest_behave.errors import MissingExtraError, ModelError
from pytest_behave.predict.backoff import Pace, delay, retry_after
from pytest_behave.predict.parallel import StoppedError
from pytest_behave.predict.secrets import resolved, scrubbed
from pytest_behave.records import ModelSpec, ServiceSpec

if TYPE_CHECKING:
    import httpx

PASSING = (408, 425, 429)
REDIRECTS = (301, 302, 307, 308)
MOST_REDIRECTS = 5
MOST_PATIENCE = 300.0  # seconds that a server may ask to be left alone before the run gives up
MOST_SHOWN = 200
SECONDS_OF_GRACE = 2.0  # what httpx's own timeouts may be late
REMEDIES = {
    401: "check the header that carries the key, and its variable",
    403: "check the header that carries the key, and its variable",
    404: "check `url` and `model`",
    405: "check `url` and `protocol`",
    413: "lower `batch_size`",
}


class PassingError(Exception):
    """A failure that may be over when the request is sent again; ``asked`` is how long the server wants to rest."""

    def __init__(self, sentence: str, asked: float | None = None) -> None:
        super().__init__(sentence)
        self.asked = asked


class Transport:
    """A pool of connections to one server and wherever it redirects to."""

    def __init__(self, spec: ModelSpec, service: ServiceSpec, url: str, stop: threading.Event) -> None:
        try:
            import httpx
        except ImportError:
            raise MissingExtraError(f"the model {spec.name!r}", "httpx", "http") from None
        self._httpx = httpx
        self._name = spec.name
        self._service = service
        self._url = url
        self._stop = stop
        self._headers = resolved(service.headers, spec.name)
        self._pace = Pace(service.rate)
        self._clients: dict[tuple[bool, bool], httpx.Client] = {}
        self._lock = threading.Lock()
        self._deadlines: dict[int, float] = {}

    def close(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            client.close()

    def post(self, body: bytes, where: str) -> Any:
        """Return the server's answer to a request; raises ModelError, beginning with ``where``, if there is none."""
        for attempt in range(self._service.retries + 1):
            if self._stop.wait(self._pace.turn()):
                raise StoppedError
            try:
                return self._answer(body, where)
            except PassingError as error:
                problem = error
            if (problem.asked or 0) > MOST_PATIENCE:
                raise self._failure(where, f"{problem}, and asks to wait {problem.asked:,.0f} s: try again later")
            self._pace.rest(problem.asked or 0)
            if attempt < self._service.retries and self._stop.wait(delay(attempt, problem.asked)):
                break
        tries = attempt + 1
        raise self._failure(where, f"{problem}, after {tries} {'tries' if tries > 1 else 'try'}")

    def check_overdue(self) -> None:
        """Raise ModelError if an answer is overdue that no timeout of httpx ends, such as headers that trickle in."""
        late = time.monotonic() - SECONDS_OF_GRACE
        if any(deadline < late for deadline in tuple(self._deadlines.values())):
            raise self._failure(f"model {self._name!r}", self._too_slow)

    @property
    def _too_slow(self) -> str:
        return f"gave no whole answer within {self._service.timeout:g} s (`timeout`)"

    def _failure(self, where: str, sentence: str) -> ModelError:
        return ModelError(scrubbed(f"{where} at {shown(self._url)} {sentence}", self._service.headers))

    def _excerpt(self, content: bytes) -> str:
        text = self._shown(content.decode("utf-8", "replace"))
        return f": {text}" if text else ""

    def _shown(self, text: object) -> str:
        """Return a text of others as part of a sentence: secrets go before anything is cut, or parts of them stay."""
        return " ".join(scrubbed(str(text), self._service.headers).split())[:MOST_SHOWN]

    def _answer(self, body: bytes, where: str) -> Any:
        httpx = self._httpx
        try:
            response, content = self._sent(body, where)
        except httpx.TimeoutException:
            raise PassingError(self._too_slow) from None
        except (httpx.UnsupportedProtocol, httpx.InvalidURL, ValueError) as error:
            raise self._failure(where, f"cannot be reached: {self._shown(error)}") from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise self._failure(where, f"has no valid certificate: {self._shown(error)}") from None
            doing = "cannot be connected to" if isinstance(error, httpx.ConnectError) else "broke the answer off"
            raise PassingError(f"{doing} ({self._shown(error) or type(error).__name__})") from None
        return self._read(response, content, where)

    def _read(self, response: httpx.Response, content: bytes, where: str) -> Any:
        status = response.status_code
        if status in PASSING or status >= 500:  # noqa: PLR2004 - the class of server errors
            asked = retry_after(response.headers.get("retry-after"))
            raise PassingError(f"answered {_status(response)}{self._excerpt(content)}", asked)
        if not response.is_success:
            remedy = REMEDIES.get(status)
            hint = f" ({remedy})" if remedy else ""
            raise self._failure(where, f"answered {_status(response)}{hint}{self._excerpt(content)}")
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            raise self._failure(where, "answered with bytes that are not UTF-8, so not with JSON") from None
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
                raise PassingError("broke the answer off in the middle of its JSON") from None
            raise self._failure(where, f"answered with something that is not JSON{self._excerpt(content)}") from None
        except (ValueError, RecursionError):
            raise self._failure(where, "answered with JSON that is too deep or holds too long a number") from None

    def _sent(self, body: bytes, where: str) -> tuple[httpx.Response, bytes]:
        """Send a request and return the answer; secrets go to the declared server alone, wherever it redirects to."""
        deadline = time.monotonic() + self._service.timeout
        self._deadlines[threading.get_ident()] = deadline
        try:
            return self._followed(self._url, body, deadline, where)
        finally:
            del self._deadlines[threading.get_ident()]

    def _followed(self, url: str, body: bytes, deadline: float, where: str) -> tuple[httpx.Response, bytes]:
        for _ in range(MOST_REDIRECTS + 1):
            headers = dict(self._headers) if _is_same_server(self._url, url) else {}
            lowered = {name.lower() for name in headers}
            plain = {"Content-Type": "application/json", "Accept": "application/json"}
            headers |= {name: value for name, value in plain.items() if name.lower() not in lowered}
            response, content = self._exchanged(url, headers, body, deadline)
            if response.status_code not in REDIRECTS or "location" not in response.headers:
                return response, content
            url = urljoin(url, response.headers["location"])
        raise self._failure(where, f"redirects more than {MOST_REDIRECTS} times: check `url`")

    def _exchanged(
        self, url: str, headers: dict[str, str], body: bytes, deadline: float
    ) -> tuple[httpx.Response, bytes]:
        client = self._client(url)
        left = max(0.001, deadline - time.monotonic())
        with client.stream("POST", url, content=body, headers=headers, timeout=left) as response:
            pieces = []
            for piece in response.iter_bytes():
                pieces.append(piece)
                if time.monotonic() > deadline:  # httpx limits the wait for each piece, not for all of them
                    raise self._httpx.ReadTimeout("too slow")
            return response, b"".join(pieces)

    def _client(self, url: str) -> httpx.Client:
        """Return the client for an address: proxies that the environment names are not for this machine itself."""
        address = urlsplit(url)
        is_direct, is_https = is_loopback(address.hostname or ""), address.scheme == "https"
        with self._lock:
            if (is_direct, is_https) not in self._clients:
                limits = self._httpx.Limits(max_connections=self._service.concurrency)
                try:
                    # certificates take a tenth of a second to load, and http needs none
                    client = self._httpx.Client(trust_env=not is_direct, verify=is_https, limits=limits)
                except (ImportError, ValueError, OSError) as error:
                    raise ModelError(
                        f"the environment's proxy or certificates cannot be used: {self._shown(error)}"
                    ) from None
                self._clients[is_direct, is_https] = client
            return self._clients[is_direct, is_https]


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_same_server(first: str, second: str) -> bool:
    """Tell whether an address is on the server of another, which may have turned from http to https."""
    one, two = urlsplit(first), urlsplit(second)
    if (one.scheme, one.hostname, _port(one)) == (two.scheme, two.hostname, _port(two)):
        return True
    is_upgrade = (one.scheme, _port(one), two.scheme, _port(two)) == ("http", 80, "https", 443)
    return is_upgrade and one.hostname == two.hostname


def _port(address: Any) -> int:
    return address.port or {"https": 443}.get(address.scheme, 80)


def shown(url: str) -> str:
    """Return an address without its query, where keys are kept at times."""
    return urlunsplit(urlsplit(url)._replace(query="", fragment=""))


def _status(response: httpx.Response) -> str:
    return f"{response.status_code} {response.reason_phrase}".strip()
