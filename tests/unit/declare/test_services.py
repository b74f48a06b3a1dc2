"""Models on servers and in commands: what is declared becomes a record, and every mistake gets its sentence."""

from __future__ import annotations

import pytest

from pytest_behave.errors import SuiteError
from pytest_behave.records import ForEach, Placeholder, TextTemplate
from tests.unit.declare.test_load import Folder

TOP = "dataset: {path: rows.csv}\n"
MLFLOW = 'url: "http://h:5001/invocations", protocol: mlflow'
CHAT = 'url: "http://h/v1", protocol: openai-chat'
JSON = 'url: "http://h/", protocol: json'
TENSORS = 'url: "http://h/", protocol: v2'


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "rows.csv").write_text("a\n1\n")
    return Folder(tmp_path)


def model(folder, text):
    (spec,) = folder.load(f"{TOP}model: {{{text}}}\n").models
    return spec


def test_a_server_is_declared_with_all_its_options(folder):
    spec = model(
        folder,
        f"{MLFLOW}, batch_size: 7, features: [a], timeout: 3, retries: 0, concurrency: 9, rate: 300/min, "
        'threshold: 0.3, fingerprint: "2", headers: {Authorization: "Bearer ${KEY}", X: y}',
    )
    service = spec.service
    assert (spec.kind, spec.location, spec.name) == ("url", "http://h:5001/invocations", "h:5001/invocations")
    assert (spec.batch_size, spec.features, spec.threshold, spec.fingerprint) == (7, ("a",), 0.3, "2")
    assert (service.protocol, service.timeout, service.retries, service.concurrency) == ("mlflow", 3.0, 0, 9)
    assert (service.rate, service.headers) == (5.0, {"Authorization": "Bearer ${KEY}", "X": "y"})


def test_defaults_are_those_of_the_reference(folder):
    service = model(folder, MLFLOW).service
    assert (service.timeout, service.retries, service.concurrency, service.rate) == (60.0, 5, 4, None)


@pytest.mark.parametrize(("rate", "found"), [("5", 5.0), ("0.5", 0.5), ("5/s", 5), ("3600 / h", 1), ("30/min", 0.5)])
def test_a_rate_is_requests_per_second(folder, rate, found):
    assert model(folder, f"{MLFLOW}, rate: {rate}").service.rate == found


def test_a_prompt_is_a_message_of_the_user(folder):
    spec = model(
        folder, f'{CHAT}, model: org/small, prompt: "Is {{{{a}}}} good?", temperature: 0, max_tokens: 2, seed: 3'
    )
    content = TextTemplate(("Is ", Placeholder("a"), " good?"))
    assert spec.service.request == [{"role": "user", "content": content}]
    assert spec.service.parameters == {"temperature": 0.0, "max_tokens": 2, "seed": 3}
    assert (spec.service.columns, spec.batch_size, spec.name) == (("a",), 1, "org/small")


def test_a_request_is_parsed_with_its_lists(folder):
    spec = model(
        folder, f'{JSON}, request: {{n: 1, rows: {{for_each: {{v: "{{{{a}}}}"}}}}}}, response: {{score: x.*.p}}'
    )
    assert spec.service.request == {"n": 1, "rows": ForEach({"v": TextTemplate((Placeholder("a"),))})}
    assert (spec.service.response, spec.batch_size) == ({"score": "x.*.p"}, 1024)


def test_a_request_for_one_row_asks_one_by_one(folder):
    spec = model(folder, f'{JSON}, request: [{{v: "{{{{a}}}}"}}], response: data.0')
    assert (spec.service.response, spec.batch_size, spec.service.columns) == ({"prediction": "data.0"}, 1, ("a",))


def test_a_command_runs_in_the_folder_of_its_suite(folder):
    spec = model(folder, "command: ./score --jsonl, timeout: 5")
    assert (spec.kind, spec.location, spec.service.protocol) == ("command", "./score --jsonl", None)
    assert (spec.service.folder, spec.service.timeout) == (folder.path, 5.0)


MISTAKES = [
    ("«url: 'http://h/'", "`url` needs a `protocol`: mlflow, v2, openai-chat, json"),
    ("url: «'h:5001', protocol: mlflow", "the url is no address, such as http://localhost:5001/invocations"),
    ("url: «'http://', protocol: mlflow", "the url is no address, such as http://localhost:5001/invocations"),
    ("url: «'http://h:x/', protocol: mlflow", "the url is no address, such as http://localhost:5001/invocations"),
    ("url: «'file:///x', protocol: mlflow", "the url is no address, such as http://localhost:5001/invocations"),
    (
        "url: «'http://u:p@h/', protocol: mlflow",
        "the url holds a password: use `headers: {Authorization: ...}` and a variable in it",
    ),
    (f"{MLFLOW}, «model: m", "'model' does nothing for the protocol mlflow: remove it"),
    (f"{CHAT}, model: m, prompt: '{{{{a}}}}', «features: [a]", "'features' does nothing for the protocol openai-chat"),
    (
        f"{CHAT}, model: m, prompt: '{{{{a}}}}', «batch_size: 2",
        "'batch_size' does nothing for the protocol openai-chat",
    ),
    (f"«{CHAT}, prompt: '{{{{a}}}}'", "the protocol openai-chat needs `model: name`, the model's name on the server"),
    (f"«{TENSORS}", "the protocol v2 needs `model: name`, the model's name on the server"),
    (f"«{CHAT}, model: m", "the protocol openai-chat needs `prompt` or `messages`, one of them"),
    (f"{CHAT}, model: m, «prompt: hello", "`prompt` asks the same of every row: put {{column}} where a value goes"),
    (f"{CHAT}, model: m, prompt: «'{{{{a}}'", "'{{' is never closed: write {{column}}, and four braces for two"),
    (f"{CHAT}, model: m, prompt: «'{{{{}}}} {{{{a}}}}'", "'{{}}' names no column: write {{column}}, and four braces"),
    (
        f"{CHAT}, model: m, messages: [{{role: user, content: «'{{{{a'}}, {{role: user, content: '{{{{a}}}}'}}]",
        "'{{' is never closed",
    ),
    (f"«{JSON}, response: a", "the protocol json needs `request`: the JSON that is sent, with {{column}} in it"),
    (
        f"«{JSON}, request: ['{{{{a}}}}']",
        "the protocol json needs `response`: where the answer is, such as data.0.label",
    ),
    (f"{JSON}, «request: [x], response: a", "`request` asks the same of every row"),
    (f"{JSON}, request: ['{{{{a}}}}'], response: «'a..b'", "'a..b' is no path, such as data.0.label"),
    (f"{JSON}, request: ['{{{{a}}}}'], response: «'a.*'", "'a.*' may have * only if the request has `for_each`"),
    (
        f"{JSON}, request: [{{for_each: '{{{{a}}}}'}}], response: {{score: «a}}",
        "'a' needs one * where the rows of `for_each` are, such as data.*.label",
    ),
    (f"{JSON}, request: ['{{{{a}}}}'], response: «{{x: a}}", "`response` must say where `prediction` or `score` is"),
    (f"{JSON}, request: ['{{{{a}}}}'], response: a, «batch_size: 3", "'batch_size' does nothing without `for_each`"),
    (
        f"{JSON}, «request: ['{{{{a}}}}', {{for_each: '{{{{b}}}}'}}], response: '*'",
        "{{a}} stands outside of `for_each`, where there is more than one row",
    ),
    (
        f"{JSON}, request: {{x: {{«for_each: '{{{{a}}}}', y: 1}}}}, response: '*'",
        "`for_each` stands alone in its mapping",
    ),
    (
        f"{MLFLOW}, headers: {{Authorization: «Bearer abc}}",
        "this file: put it into an environment variable and write Bearer ${NAME}",
    ),
    (f"{MLFLOW}, headers: {{authorization: «''}}", "the header authorization would keep a secret in this file"),
    (f"{MLFLOW}, headers: {{X: «'${{1}}'}}", "the header X holds a ${ that names no variable: write ${NAME}"),
    (f'{MLFLOW}, headers: {{X: «"a\\nb"}}', "the header X may hold ASCII characters of one line only"),
    (f"{MLFLOW}, headers: {{«'a b': c}}", "'a b' cannot be the name of a header here"),
    (f"{MLFLOW}, headers: {{«Host: c}}", "'Host' cannot be the name of a header here"),
    (f"{MLFLOW}, headers: {{X: c, «x: d}}", "'x' cannot be the name of a header here"),
    (f"{TENSORS}, model: m, features: [b], datatypes: {{«a: FP32}}", "the column 'a' is not among the `features`"),
    ("command: «''", "the command is empty: name a program"),
    ('command: «"./a \'b"', '"./a \'b" cannot be divided into words: no closing quotation'),
    ("command: ./a, «retries: 3", "'retries' does nothing for a model given by `command`: remove it"),
    ("python: 'a:b', «timeout: 3", "'timeout' does nothing for a model given by `python`: remove it"),
    ("column: a, «repeats: 2", "'repeats' does nothing for a model given by `column`: remove it"),
    ("column: a, «fingerprint: b", "'fingerprint' does nothing for a model given by `column`: remove it"),
    (f"{MLFLOW}, rate: «5 a second", "model.rate must be a number of requests per second, or a text such as 300/min"),
    (f"{MLFLOW}, «tiemout: 5", "unknown key 'tiemout' - did you mean 'timeout'?"),
    ("url: 'http://h/', protocol: «mlfow", "did you mean 'mlflow'?"),
    (f"{TENSORS}, model: m, datatypes: {{a: «FP31}}", "did you mean 'FP32'?"),
]


@pytest.mark.parametrize(("text", "sentence"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_a_mistake_is_told_where_it_stands(folder, text, sentence):
    marked = f"{TOP}«model: {{{text[1:]}}}\n" if text.startswith("«") else f"{TOP}model: {{{text}}}\n"
    found = folder.problems_at_mark(marked)
    assert len(found) == 1
    assert sentence in found[0]
    assert "s.behave.yaml" not in found[0], "it stands elsewhere"


def test_a_secret_in_an_address_is_not_repeated(folder):
    with pytest.raises(SuiteError) as error:
        model(folder, "url: 'http://user:hunter2@h/', protocol: mlflow")
    assert "hunter2" not in str(error.value)


def test_many_mistakes_are_told_together(folder):
    found = folder.problems(
        f"{TOP}model: {{{MLFLOW}, model: m, headers: {{Host: a, Authorization: b}}, rate: often}}\n"
    )
    assert len(found) == 1, "the shape comes first"
    found = folder.problems(f"{TOP}model: {{{MLFLOW}, model: m, headers: {{Host: a, Authorization: b}}}}\n")
    assert len(found) == 3
