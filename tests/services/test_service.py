"""Models behind an address, asked over real connections."""

from __future__ import annotations

import email.utils
import itertools
import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from pytest_behave.errors import ModelError
from pytest_behave.predict.normalize import joined
from pytest_behave.predict.service import Service
from pytest_behave.records import ForEach, ModelSpec, Placeholder, ServiceSpec, TextTemplate
from tests.services import servers
from tests.services.servers import Server

pytest.importorskip("httpx", reason="needs the extra `http`")
FRAME = pd.DataFrame(
    {
        "id": [f"r{number}" for number in range(10)],
        "age": [20 + 3 * number for number in range(10)],
        "text": [f"word{number} is {number}" for number in range(10)],
        "target": [number % 2 for number in range(10)],
    }
)
IDS = FRAME["id"].tolist()
OVER_30 = [int(age > 30) for age in FRAME["age"]]
WITHHELD = frozenset({"id", "target"})
ASK = TextTemplate(("Say ", Placeholder("text")))


def source(server, protocol="mlflow", path="/invocations", fingerprint=None, **options):
    size = options.pop("batch_size", 1 if protocol in ("openai-chat", "json") else 2)
    service = ServiceSpec(protocol, Path(), **{"timeout": 5.0, "retries": 3, "concurrency": 1, **options})
    spec = ModelSpec("m", "url", server.address + path, batch_size=size, service=service, fingerprint=fingerprint)
    return Service(spec, service, WITHHELD)


def chat_source(server, **options):
    request = [{"role": "user", "content": ASK}]
    return source(server, "openai-chat", "/v1", model="small", request=request, columns=("text",), **options)


def template_source(server, request, response, **options):
    options = {"columns": ("age", "text"), **options}
    return source(server, "json", "/", request=request, response=response, **options)


def predicted(model, frame=FRAME):
    return joined(list(model.batches(frame, frame["id"].tolist())))


def failure(model):
    """Return the sentence with which a model fails, and the rows that came before."""
    rows = []
    try:
        for batch in model.batches(FRAME, IDS):
            rows += batch.rows.tolist()
    except ModelError as error:
        return str(error), rows
    raise AssertionError("it does not fail")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("pytest_behave.predict.backoff.FIRST_SECONDS", 0.02)


# --- protocols ----------------------------------------------------------------------------------------------------


def test_mlflow_gets_a_split_frame_in_batches_and_never_the_answers():
    with Server(servers.mlflow) as server:
        assert predicted(source(server, batch_size=4)).prediction.tolist() == OVER_30
    assert [len(request.body["dataframe_split"]["data"]) for request in server.requests] == [4, 4, 2]
    assert {tuple(request.body["dataframe_split"]["columns"]) for request in server.requests} == {("age", "text")}


@pytest.mark.parametrize(
    ("change", "prediction", "score"),
    [
        (lambda answer: answer["predictions"], OVER_30, None),
        (lambda answer: {"predictions": [{"0": value} for value in answer["predictions"]]}, OVER_30, None),
        (
            lambda answer: {"predictions": [{"prediction": v, "score": v / 2} for v in answer["predictions"]]},
            OVER_30,
            [value / 2 for value in OVER_30],
        ),
    ],
    ids=["bare list", "one column", "prediction and score"],
)
def test_mlflow_may_answer_as_older_servers_and_with_frames(change, prediction, score):
    with Server(lambda request: change(servers.mlflow(request))) as server:
        found = predicted(source(server))
    assert found.prediction.tolist() == prediction
    assert (None if found.score is None else found.score.tolist()) == score


def test_a_missing_value_is_null_and_a_date_is_in_iso_form():
    frame = FRAME.assign(age=[None, *FRAME["age"][1:]], day=pd.Timestamp("2026-01-05"))
    with Server(servers.mlflow) as server:
        predicted(source(server, batch_size=10), frame)
    assert server.requests[0].body["dataframe_split"]["data"][0] == [None, "word0 is 0", "2026-01-05T00:00:00"]


def test_columns_that_may_hold_missing_integers_are_sent_as_json():
    frame = FRAME.assign(age=pd.array([None, *FRAME["age"][1:]], dtype="Int64"))
    with Server(servers.mlflow) as server:
        predicted(source(server, batch_size=10), frame)
    assert [row[0] for row in server.requests[0].body["dataframe_split"]["data"]][:2] == [None, 23]


def test_an_infinite_input_is_explained():
    frame = FRAME.assign(age=float("inf"))
    with Server(servers.mlflow) as server, pytest.raises(ModelError, match="an input is infinite"):
        predicted(source(server), frame)


def test_chat_asks_once_per_row_and_counts_tokens():
    with Server(servers.chat) as server:
        found = predicted(chat_source(server, parameters={"temperature": 0, "seed": 7}, concurrency=3))
    assert found.prediction.tolist() == [str(number) for number in range(10)]
    assert found.extra["prompt_tokens"].tolist() == [4] * 10
    assert found.extra["total_tokens"].tolist() == [5] * 10
    assert set(found.extra["finish_reason"]) == {"stop"}
    assert {request.path for request in server.requests} == {"/v1/chat/completions"}
    first = next(request.body for request in server.requests if "word0" in str(request.body))
    messages = [{"role": "user", "content": "Say word0 is 0"}]
    assert first == {"model": "small", "messages": messages, "temperature": 0, "seed": 7}


def test_the_seed_of_a_chat_rises_with_each_answer():
    with Server(servers.chat) as server:
        model = chat_source(server, parameters={"seed": 7})
        for repeat in range(3):
            list(model.batches(FRAME.head(1), IDS[:1], repeat))
    assert [request.body["seed"] for request in server.requests] == [7, 8, 9]


def test_a_chat_server_may_leave_out_usage_and_a_refusal_is_an_answer():
    def refusing(request):
        answer = servers.chat(request)
        if "word3" in str(request.body):
            answer["choices"][0]["message"] = {"role": "assistant", "content": None, "refusal": "No."}
            del answer["usage"]
        return answer

    with Server(refusing) as server:
        found = predicted(chat_source(server))
    assert found.prediction.tolist()[3] == "No."
    assert found.extra["total_tokens"].isna().tolist() == [number == 3 for number in range(10)]


def test_v2_sends_a_tensor_per_column_and_reads_named_outputs():
    response = {"prediction": "label", "score": "p"}
    with Server(servers.tensors) as server:
        model = source(server, "v2", "", batch_size=5, model="m/1", response=response, datatypes={"age": "FP32"})
        found = predicted(model)
    assert found.prediction.tolist() == OVER_30
    assert found.score.tolist() == [age / 100 for age in FRAME["age"]]
    assert server.requests[0].path == "/v2/models/m%2F1/infer"
    age, text = server.requests[0].body["inputs"]
    assert age == {"name": "age", "shape": [5, 1], "datatype": "FP32", "data": [20.0, 23.0, 26.0, 29.0, 32.0]}
    assert (text["datatype"], text["data"][0]) == ("BYTES", "word0 is 0")


def test_v2_says_what_it_cannot_send_and_which_outputs_there_are():
    with Server(servers.tensors) as server:
        sentence, _ = failure(source(server, "v2", "", model="m"))
        assert "answered with the outputs label, p: say which is meant by `response: {prediction: NAME}`" in sentence
        sentence, _ = failure(source(server, "v2", "", model="m", response={"prediction": "lable"}))
        assert "answered without an output 'lable' (it has label, p)" in sentence
        with pytest.raises(ModelError, match="the column 'age', which has missing values, and a tensor cannot"):
            predicted(source(server, "v2", "", model="m"), FRAME.assign(age=[None, *FRAME["age"][1:]]))
        with pytest.raises(ModelError, match="to be sent as FP32, but holds other values"):
            predicted(source(server, "v2", "", model="m", datatypes={"text": "FP32"}))


def test_json_fills_a_template_per_row():
    request = {"q": TextTemplate((Placeholder("age"),)), "text": ASK, "options": {"n": 1, "flags": [True, None]}}
    with Server(lambda request: {"data": [{"label": request.body["q"], "p": 0.5}]}) as server:
        found = predicted(template_source(server, request, {"prediction": "data.0.label", "certainty": "data.0.p"}))
    assert found.prediction.tolist() == FRAME["age"].tolist()
    assert found.extra["certainty"].tolist() == [0.5] * 10
    wanted = {"q": 20, "text": "Say word0 is 0", "options": {"n": 1, "flags": [True, None]}}
    assert server.requests[0].body == wanted


def test_json_fills_a_list_per_batch():
    request = {"instances": ForEach({"age": TextTemplate((Placeholder("age"),))})}

    def answer(request):
        return {"results": [{"label": item["age"]} for item in request.body["instances"]]}

    with Server(answer) as server:
        found = predicted(template_source(server, request, {"prediction": "results.*.label"}, batch_size=4))
    assert found.prediction.tolist() == FRAME["age"].tolist()
    assert [len(request.body["instances"]) for request in server.requests] == [4, 4, 2]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"predictions": [1]}, "answered with 1 outputs for 2 instances"),
        ({"predictions": [1, 0, 1]}, "answered with 3 outputs for 2 instances"),
        ({"predictions": 1}, "answered without a list of `predictions`"),
        ({"error": "x"}, "answered without a list of `predictions`"),
        ({"predictions": [[0.1, 0.9], [0.2, 0.8]]}, "answered with lists or mappings instead of one output per row"),
        ({"predictions": [1, None]}, "returned no prediction (NaN or None) for 1 instance, the first is 'r1'"),
        ({"predictions": [1, float("nan")]}, "returned no prediction (NaN or None) for 1 instance, the first is 'r1'"),
        ({"predictions": [{"a": 1, "b": 2}] * 2}, "without `prediction`, `score` or `proba:<class>` (it has a, b)"),
    ],
)
def test_an_answer_that_is_none_is_explained_with_its_batch(answer, sentence):
    with Server(servers.mlflow, faults=[servers.change(lambda _: answer)]) as server:
        found, rows = failure(source(server))
    assert sentence in found
    assert found.startswith("model 'm', batch 1 of 5,")
    assert (len(server.requests), rows) == (1, [])


def test_a_path_that_leads_nowhere_is_explained():
    with Server(lambda _: {"data": [{"label": {"x": 1}}]}) as server:
        for path, sentence in (("data.1.label", "without 'data.1.label'"), ("data.0.label", "a mapping or list at")):
            assert sentence in failure(template_source(server, {"q": ASK}, {"prediction": path}))[0]


def test_a_column_that_is_not_there_is_named_before_anything_is_sent():
    with Server(servers.chat) as server:
        request = [{"role": "user", "content": TextTemplate((Placeholder("txt"),))}]
        sentence, _ = failure(source(server, "openai-chat", "/v1", model="m", request=request, columns=("txt",)))
    assert sentence == "model 'm' is sent the column 'txt', which the data lack - did you mean 'text'?"
    assert server.requests == []


# --- faults that pass ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        servers.drop,
        servers.drop_in_the_middle,
        servers.truncate,
        servers.status(500, b"oops"),
        servers.status(503),
        servers.status(429),
        servers.raw(b""),
    ],
    ids=["drop", "drop in the middle", "truncated", "500", "503", "429", "empty"],
)
def test_a_fault_that_passes_is_outlived(fault):
    with Server(servers.mlflow, faults=[fault, fault]) as server:
        assert predicted(source(server)).prediction.tolist() == OVER_30
    assert len(server.requests) == 5 + 2


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (servers.drop, "broke the answer off (Server disconnected"),
        (servers.drop_in_the_middle, "broke the answer off (peer closed connection"),
        (servers.truncate, "broke the answer off in the middle of its JSON, after 4 tries"),
        (
            servers.status(500, b'{"error": "no\nGPU"}'),
            'answered 500 Internal Server Error: {"error": "no GPU"}, after',
        ),
        (servers.status(429), "answered 429 Too Many Requests, after 4 tries"),
    ],
)
def test_a_fault_that_stays_is_one_sentence(fault, sentence):
    with Server(servers.mlflow, faults=itertools.repeat(fault, 50)) as server:
        found, _ = failure(source(server))
    assert sentence in found
    assert found.startswith(f"model 'm', batch 1 of 5, starting with instance 'r0', at {server.address}/invocations ")
    assert len(server.requests) == 4


def test_a_storm_of_429_is_waited_out_as_long_as_the_server_asks():
    asked = [servers.status(429, Retry_After="0.5")]  # to one of two that ask
    with Server(servers.mlflow, faults=asked, seconds=0.05) as server:
        assert predicted(source(server, concurrency=2, batch_size=1)).prediction.tolist() == OVER_30
    times = [request.at - server.requests[0].at for request in server.requests]
    assert len(times) == 11
    assert len([at for at in times if at < 0.45]) <= 4, "nobody asks while the server rests"


def test_retry_after_may_be_a_date():
    date = email.utils.formatdate(time.time() + 2, usegmt=True)
    with Server(servers.mlflow, faults=[servers.status(503, Retry_After=date)]) as server:
        predicted(source(server, batch_size=10))
    first, second = server.requests
    assert 0.9 < second.at - first.at < 3


def test_a_server_that_asks_for_an_hour_ends_the_run():
    with Server(servers.mlflow, faults=[servers.status(429, Retry_After="3600")]) as server:
        sentence, _ = failure(source(server))
    assert "answered 429 Too Many Requests, and asks to wait 3,600 s: try again later" in sentence
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", [servers.trickle, servers.stall], ids=["trickle", "stall"])
def test_an_answer_that_takes_too_long_is_given_up(fault):
    with Server(servers.mlflow, faults=[fault]) as server:
        began = time.monotonic()
        sentence, _ = failure(source(server, timeout=0.4, retries=0))
    assert "gave no whole answer within 0.4 s (`timeout`), after 1 try" in sentence
    assert time.monotonic() - began < 2


def test_headers_that_never_end_do_not_hold_up_the_run(monkeypatch):
    monkeypatch.setattr("pytest_behave.predict.transport.SECONDS_OF_GRACE", 0.3)
    monkeypatch.setattr("pytest_behave.predict.parallel.SECONDS_TO_WATCH", 0.1)
    with Server(servers.mlflow, faults=[servers.trickle_headers]) as server:
        began = time.monotonic()
        sentence, _ = failure(source(server, timeout=0.4, retries=0))
    assert sentence == f"model 'm' at {server.address}/invocations gave no whole answer within 0.4 s (`timeout`)"
    assert time.monotonic() - began < 3


def test_nobody_there_is_explained():
    with Server(servers.mlflow) as server:
        pass
    assert "cannot be connected to (" in failure(source(server, retries=1))[0]


# --- faults that stay ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (
            servers.status(400, b'{"message": "no column age"}'),
            'answered 400 Bad Request: {"message": "no column age"}',
        ),
        (servers.status(401), "answered 401 Unauthorized (check the header that carries the key, and its variable)"),
        (servers.status(404), "answered 404 Not Found (check `url` and `model`)"),
        (servers.raw(b"<html>hello</html>"), "answered with something that is not JSON: <html>hello</html>"),
        (servers.raw(b'{"predictions": ["\xff"]}'), "answered with bytes that are not UTF-8, so not with JSON"),
        (servers.raw(b"1" * 5_000), "answered with JSON that is too deep or holds too long a number"),
        (servers.status(303, Location="/"), "answered 303 See Other"),
        (servers.status(307, Location="ftp://a/"), "cannot be reached: "),
    ],
)
def test_a_definite_failure_is_not_tried_again(fault, sentence):
    with Server(servers.mlflow, faults=[fault]) as server:
        found, rows = failure(source(server))
    assert sentence in found
    assert (len(server.requests), rows) == (1, [])


def test_after_a_failure_no_request_is_begun_and_nothing_that_was_answered_is_lost():
    def fail_on_second(handler, _answer):
        if handler.asked.body["dataframe_split"]["data"][0][0] == FRAME["age"][1]:
            servers.send(handler, b"", 400)
            return False
        time.sleep(0.3)  # so that the failure comes while this one is on its way
        return True

    with Server(servers.mlflow, faults=[fail_on_second] * 2) as server:
        _, rows = failure(source(server, concurrency=2, batch_size=1))
    assert len(server.requests) == 2
    assert rows == [0]


def test_closing_the_iterator_stops_requests():
    with Server(servers.mlflow, seconds=0.05) as server:
        batches = source(server, batch_size=1).batches(FRAME, IDS)
        next(batches)
        batches.close()
        time.sleep(0.3)
        assert len(server.requests) <= 3


# --- several at a time --------------------------------------------------------------------------------------------


def test_requests_run_side_by_side_and_batches_come_as_they_finish():
    def answer(request):
        if request.body["dataframe_split"]["data"][0][0] == 20:
            time.sleep(0.3)
        return servers.mlflow(request)

    with Server(answer, seconds=0.02) as server:
        batches = list(source(server, batch_size=1, concurrency=3).batches(FRAME, IDS))
    assert server.most_running == 3
    assert [int(batch.rows[0]) for batch in batches][-1] == 0
    assert joined(batches).prediction.tolist() == OVER_30


def test_a_rate_spaces_requests():
    with Server(servers.mlflow) as server:
        predicted(source(server, batch_size=1, concurrency=4, rate=25))
    times = sorted(request.at for request in server.requests)
    assert times[-1] - times[0] >= 9 / 25 * 0.9


def test_no_thread_is_left():
    with Server(servers.mlflow) as server:
        predicted(source(server, concurrency=4))
    deadline = time.monotonic() + 2
    while any(thread.name.endswith("(_serve)") for thread in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(thread.name.endswith("(_serve)") for thread in threading.enumerate())


# --- secrets ------------------------------------------------------------------------------------------------------

SECRET = "s3cr3t-value-of-the-key"  # noqa: S105 - not one
HEADERS = {"Authorization": "Bearer ${SERVICE_KEY}", "X-Team": "risk"}


def test_a_header_gets_its_secret_from_the_environment(monkeypatch):
    monkeypatch.setenv("SERVICE_KEY", SECRET)
    with Server(servers.mlflow) as server:
        predicted(source(server, headers=HEADERS))
    assert server.requests[0].headers["authorization"] == f"Bearer {SECRET}"
    assert server.requests[0].headers["x-team"] == "risk"


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("SERVICE_KEY", raising=False)
    with Server(servers.mlflow) as server:
        sentence, _ = failure(source(server, headers=HEADERS))
    expected = (
        "model 'm' needs the environment variable SERVICE_KEY for its header Authorization: set it where the tests run"
    )
    assert sentence == expected
    assert server.requests == []


@pytest.mark.parametrize("code", [400, 401, 500])
def test_a_secret_that_the_server_repeats_is_not_shown(monkeypatch, code):
    monkeypatch.setenv("SERVICE_KEY", SECRET)
    echo = servers.status(code, f"bad key {SECRET}!".encode())
    with Server(servers.mlflow, faults=[echo] * 9) as server:
        sentence, _ = failure(source(server, headers=HEADERS, retries=1))
    assert SECRET not in sentence
    assert "bad key ***!" in sentence


def test_no_part_of_a_secret_stays_where_a_text_is_cut(monkeypatch):
    monkeypatch.setenv("SERVICE_KEY", SECRET)
    for length in (150, 185, 190, 195, 199):
        with Server(servers.mlflow, faults=[servers.status(400, b"x" * length + SECRET.encode())]) as server:
            sentence, _ = failure(source(server, headers=HEADERS))
        assert SECRET[:1] not in sentence.partition("xxx")[2].replace("x", "")


def test_a_fingerprint_tells_models_apart_and_holds_no_secret(monkeypatch):
    monkeypatch.setenv("SERVICE_KEY", SECRET)
    with Server(servers.mlflow) as server:
        first = source(server, headers=HEADERS).fingerprint
        monkeypatch.setenv("SERVICE_KEY", "another")
        assert source(server, headers=HEADERS).fingerprint == first
        assert source(server, headers={**HEADERS, "X-Api-Key": "literal"}).fingerprint == (
            source(server, headers={**HEADERS, "X-Api-Key": "another"}).fingerprint
        )
        different = [
            source(server, headers={**HEADERS, "X-Team": "fraud"}),
            source(server, headers=HEADERS, fingerprint="2"),
            source(server, headers=HEADERS, parameters={"seed": 2}),
            source(server, headers=HEADERS, path="/other"),
            chat_source(server, headers=HEADERS),
        ]
        assert len({first, *(model.fingerprint for model in different)}) == 6
        same = [source(server, headers=HEADERS, timeout=1.0), source(server, headers=HEADERS, concurrency=9)]
        assert {model.fingerprint for model in same} == {first}


def test_a_redirect_to_another_server_carries_no_header_of_the_suite(monkeypatch):
    monkeypatch.setenv("SERVICE_KEY", SECRET)
    with Server(servers.mlflow) as other, Server(servers.mlflow) as server:
        server.faults.append(servers.status(307, Location=f"{other.address}/invocations"))
        found = predicted(source(server, batch_size=10, headers=HEADERS))
    assert found.prediction.tolist() == OVER_30
    assert SECRET in str(server.requests[0].headers)
    assert SECRET not in str(other.requests[0].headers)
    assert "x-team" not in other.requests[0].headers


def test_a_redirect_on_the_same_server_keeps_headers_and_a_circle_ends(monkeypatch):
    monkeypatch.setenv("SERVICE_KEY", SECRET)
    with Server(servers.mlflow, faults=[servers.status(308, Location="/v2")]) as server:
        predicted(source(server, batch_size=10, headers=HEADERS))
        assert [request.path for request in server.requests] == ["/invocations", "/v2"]
        assert SECRET in server.requests[1].headers["authorization"]
        server.faults.extend([servers.status(307, Location="/again")] * 20)
        assert "redirects more than 5 times: check `url`" in failure(source(server, headers=HEADERS))[0]


def test_proxies_of_the_environment_are_not_for_this_machine(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with Server(servers.mlflow) as server:
        assert predicted(source(server)).prediction.tolist() == OVER_30
        far = source(server, retries=0)
        far.spec = replace(far.spec, location="http://192.0.2.1/invocations")
        assert "cannot be connected to" in failure(far)[0]  # the proxy, at once, rather than a far host after a while


def test_the_query_of_an_address_is_not_shown():
    with Server(servers.mlflow, faults=[servers.status(400)]) as server:
        sentence, _ = failure(source(server, path="/invocations?code=abcdef"))
    assert "abcdef" not in sentence
    assert server.requests[0].path == "/invocations?code=abcdef"


def test_texts_of_any_kind_arrive_whole():
    texts = ["ü €", "{{age}}", "\ud800", '"quoted"\n', "a\u2028b", "", "\x00", "ok", "x" * 100_000, "${HOME}"]
    frame = FRAME.assign(text=pd.Series(texts, dtype=object))
    request = {"text": TextTemplate((Placeholder("text"),))}
    with Server(lambda request: {"label": request.body["text"]}) as server:
        found = predicted(template_source(server, request, {"prediction": "label"}), frame)
    assert found.prediction.tolist() == texts
    assert json.dumps(server.requests[1].body) == json.dumps({"text": "{{age}}"})
