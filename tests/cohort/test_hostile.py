"""What strangers write: students in a roster, clouds in their answers, anybody in a tag. It stays text."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from fpgaclass.cohort import playbook, reports, sweeping, verbs
from fpgaclass.cohort.errors import CohortError, LostError, ProviderError
from fpgaclass.cohort.plans import Resource
from fpgaclass.cohort.port import Capabilities, Found, Marker, Order, as_address, scrub
from fpgaclass.cohort.providers.infn import InfnProvider
from fpgaclass.cohort.roster import Student, read_roster
from fpgaclass.cohort.sites import Infn
from fpgaclass.cohort.spec import load_spec
from fpgaclass.cohort.state import Row
from fpgaclass.cohort.testing import FakeOrchestrator, MemoryCloud, MemoryProvider
from fpgaclass.cohort.timer import crontab_line, timer_units
from fpgaclass.core import CourseError, InvalidInputError

Run = Callable[..., Any]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample"
ORDER = "{{ lookup('pipe', 'touch /tmp/pwned') }}"
RED = "\x1b[31m"


def _row(address: str) -> Row:
    known = ("c27", "seat/ada", "machine", "ada", "ready", 0, 0, "", "", 0.0, 0.0, "m1", address, "")
    return Row(*known, None, None, None)  # type: ignore[arg-type]


def _inventory(students: list[Student], address: str = "192.0.2.7") -> dict[str, Any]:
    return playbook.inventory([_row(address)], students, user="root", private_keys=[Path("key")])


@pytest.mark.parametrize("name", ["roster.csv", "roster.yaml"])
def test_a_key_s_comment_is_no_order_to_the_instructor_s_machine(tmp_path: Path, name: str) -> None:
    """Students hand their keys in, and Ansible carries out ``{{ }}`` in a variable here, with all rights."""
    path = tmp_path / name
    line = f'- {{login: ada, public_key: "{KEY} {ORDER}"}}\n' if name.endswith("yaml") else ""
    path.write_text(line or f'login,public_key\nada,"{KEY} {ORDER}"\n')
    students = read_roster(path)
    assert students[0].public_key == KEY, "and no name of anybody's laptop travels, either"
    assert "{{" not in json.dumps(_inventory(list(students)))


def test_no_template_reaches_an_inventory() -> None:
    """A second wall, for whoever makes students another way."""
    with pytest.raises(CohortError, match="template of Ansible"):
        _inventory([Student("ada", public_key=f"{KEY} {ORDER}")])


@pytest.mark.parametrize("text", [ORDER, "-oProxyCommand=touch /tmp/pwned", "192.0.2.7 -v", "a\nb", "à", ""])
def test_an_address_that_is_none_is_not_used(text: str) -> None:
    """It comes from a cloud's answer, and becomes an argument of ssh and a variable of Ansible."""
    assert as_address(text) == ""
    assert Found("m1", "machine", Marker("c", "k", 0, _end()), address=text).address == ""
    assert _inventory([Student("ada")], text)["all"]["children"]["seats"]["hosts"] == {}


@pytest.mark.parametrize("text", ["192.0.2.7", "2001:db8::1", "host-7.example.org"])
def test_an_address_is_used(text: str) -> None:
    """Else the wall above would keep everybody out."""
    assert as_address(text) == text
    assert _inventory([Student("ada")], text)["all"]["children"]["seats"]["hosts"]


def _end() -> Any:
    from datetime import UTC, datetime

    return datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "login", ["ada\n", "ada\u200b", "аda", "ada{{1}}", "$(id)", "ada\x1b[31m", "-rf", "ａda", "a\u0301da"]
)
def test_a_login_is_plain_letters(tmp_path: Path, login: str) -> None:
    """Look-alikes, marks and line ends would be accounts, folders and tags that nobody can name."""
    path = tmp_path / "roster.yaml"
    path.write_text(f"- {{login: {json.dumps(login)}}}\n")
    if login.strip() == "ada":
        assert read_roster(path)[0].login == "ada", "space around it is no fault, and does not stay"
        return
    with pytest.raises(InvalidInputError) as caught:
        read_roster(path)
    assert caught.value.where == f"{path}:1"
    assert "\x1b" not in str(caught.value), "nothing of it steers the reader's terminal"


def test_a_roster_s_faults_do_not_steer_a_terminal(tmp_path: Path) -> None:
    """The message quotes what is wrong, and nothing of it may be obeyed."""
    path = tmp_path / "roster.yaml"
    path.write_text(json.dumps([{"login": "ada", f"{RED}shoe": "1"}]))
    with pytest.raises(InvalidInputError, match=r"no such key: \?\[31mshoe"):
        read_roster(path)
    path.write_text("- {login: ada, login: emmy}\n")
    with pytest.raises(InvalidInputError, match="a key is twice in this entry"):
        read_roster(path)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("ssh-ed25519 AAAA", "cut off, or no ssh-ed25519 key"),
        ("ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIExample", "cut off, or no ssh-rsa key"),
        ('command="id" ' + KEY, "not an OpenSSH public key"),
        (f"{KEY}\n{KEY}", "not an OpenSSH public key"),
    ],
)
def test_a_key_that_nobody_could_log_in_with_is_found_here(tmp_path: Path, key: str, said: str) -> None:
    """Options would be obeyed on every card node; a cut-off key is a student who waits in vain."""
    path = tmp_path / "roster.yaml"
    path.write_text(f"- {{login: ada, public_key: {json.dumps(key)}}}\n")
    with pytest.raises(InvalidInputError, match=said):
        read_roster(path)


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """A cohort of one, in a file of its own."""
    (tmp_path / "r.csv").write_text("login\nada\n")
    path = tmp_path / "cohort.yaml"
    path.write_text("name: c27\nhours: 1\nroster: r.csv\n")
    return path


def test_a_private_key_does_not_become_everybody_s(run: Run, cohort: Path) -> None:
    """One letter is missing in course.yaml, and the key would be in the plan, the cloud and every machine."""
    secret = cohort.parent / "id_ed25519"
    secret.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END\n")
    cohort.write_text(cohort.read_text() + "public_key: id_ed25519\n")
    said = run("cohort", "plan", "--json", "--course", cohort)
    assert (said.code, said.out) == (2, "")
    assert said.err == (
        "error: cohort.public_key is a PRIVATE key; make a new pair, this one is spent "
        f"(looked in: {secret}). Next: name the .pub file, which ends in .pub, or leave the key out: "
        "a pair is made\n"
    )
    secret.unlink()
    said = run("cohort", "plan", "--course", cohort)
    assert said.err.startswith("error: cohort.public_key cannot be read: No such file or directory")
    secret.write_text(f"{KEY} me@laptop\n")
    assert "me@laptop" not in run("cohort", "plan", "--json", "--course", cohort).out


@pytest.mark.parametrize("limit", ["nan", "-1"])
def test_a_limit_that_limits_nothing_is_refused(run: Run, cohort: Path, limit: str) -> None:
    """Nothing is greater than nan: every plan would pass."""
    said = run("cohort", "plan", "--course", cohort, f"--max-cost={limit}")
    assert said.code == 2
    assert "is no limit of a cost" in said.err


def test_a_zone_that_is_none_is_found_before_anything_is_made(tmp_path: Path, course_text: str) -> None:
    """Every table shows times in it, also the one at the end of an apply."""
    path = tmp_path / "course.yaml"
    path.write_text(course_text.replace("Europe/Rome", "Mars/Base"))
    with pytest.raises(
        CourseError, match="timezone: a time zone, such as Europe/Rome or UTC, not 'Mars/Base'"
    ):
        load_spec(path)


@pytest.mark.parametrize("address", ["paas.example.org", "http://paas.example.org", "https://a@evil.org", ""])
def test_a_token_goes_nowhere_in_the_clear(cohort: Path, address: str) -> None:
    """Whoever listens would be the instructor."""
    cohort.write_text(cohort.read_text() + f"infn: {{orchestrator: '{address}', user_group: x}}\n")
    with pytest.raises(CourseError, match=r"infn.orchestrator: an address that begins with https://.*yaml:4"):
        load_spec(cohort)


def test_tags_are_anybody_s_and_stay_text(cohort: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who shares the account can write any tag; a look at the cloud must survive it, and not obey it."""
    from fpgaclass.cli.cohort import show

    cloud = MemoryCloud()
    tags = {
        "fpgaclass:managed": "1",
        "fpgaclass:cohort": "c27",
        "fpgaclass:key": f"[/bold]{RED}seat",
        "fpgaclass:generation": "²",
    }
    marker = Marker.read(tags)
    assert marker is not None
    assert marker.generation == 0
    cloud.born["m1[/x]"] = 0.0
    cloud.things["m1"] = Found("m1[/x]", "machine", marker, zone=f"{RED}[/zone]")
    provider = MemoryProvider(cloud)
    show(reports.status_table(verbs.status(cohort, provider=provider)))
    show(reports.swept_table(sweeping.sweep(cohort, dry_run=True, provider=provider), dry_run=True))
    said = capsys.readouterr().out
    assert "[/bold]?[31mseat" in said
    assert "[/zone]" in said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    "secret",
    [
        "password=geheim",
        '{"password": "geheim"}',
        "Authorization: Bearer geheim",
        "AKIAGEHEIMGEHEIMGEHEIM",
        "ASIAGEHEIMGEHEIMGEHEIM",
        "https://me:geheim@example.org/x",
        "aws_secret_access_key = geheim",
        "eyJhbGciOiJub25lIn0.eyJnZWhlaW0iOjF9.geheim",
        "-----BEGIN RSA PRIVATE KEY-----\ngeheim\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_messages_of_clouds_lose_their_secrets(secret: str) -> None:
    """They are kept in the state, printed, and mailed to whoever helps."""
    said = scrub(f"it failed: {secret} and so on{RED}")
    assert "geheim" not in said.lower()
    assert said.startswith("it failed: ")
    assert "\x1b" not in said


def test_a_host_s_last_words_may_be_none() -> None:
    """An event without a text must not end the run for all other hosts."""
    events = playbook._Events(lambda _: None)
    data = {"host": "seat/ada", "task": "Docker", "res": {"stderr": " \n"}}
    assert events({"event": "runner_on_failed", "event_data": data}) is False
    assert events.messages == {"seat/ada": "Docker: no message"}


def test_a_timer_keeps_a_password_and_nobody_else_reads_it() -> None:
    """systemd fills ``%`` in, and cron ends a line at it; an address of a database has ``%40`` for an @."""
    environment = {"FPGACLASS_DATABASE": "postgresql://me:ge%40heim@db/x"}
    words = ["/opt/my course/fpgaclass", "--course", "/100%/$x"]
    units = timer_units("c27", words, environment, Path("/etc/systemd/system"))
    service = units["fpgaclass-sweep-c27.service"]
    assert "heim" not in service, "everybody on the machine may ask systemd for what is in a unit"
    assert "EnvironmentFile=/etc/systemd/system/fpgaclass-sweep-c27.env\n" in service
    assert units["fpgaclass-sweep-c27.env"] == 'FPGACLASS_DATABASE="postgresql://me:ge%40heim@db/x"\n'
    assert 'ExecStart="/opt/my course/fpgaclass" --course "/100%%/$$x"' in service
    line = crontab_line(["/bin/x", "100%"], environment)
    assert "heim" not in line
    assert line.endswith("/bin/x '100\\%'") or line.endswith("/bin/x 100\\%")


@contextmanager
def _odd_orchestrator(answers: dict[str, tuple[int, str, str]], asked: list[str]) -> Iterator[InfnProvider]:
    """Serve what a broken, or a bad, Orchestrator would."""

    class Odd(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, kind, text = answers[f"{self.command} {self.path.partition('?')[0]}"]
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.wfile.write(text.encode())

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Odd) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        provider = InfnProvider(Infn(orchestrator=address, user_group="courses/fpga"))
        try:
            yield provider
        finally:
            provider.close()
            server.shutdown()


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FPGACLASS_OIDC_TOKEN", "good")


def test_a_token_is_nowhere_but_in_the_calls(run: Run, cohort: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not on the screen, not as JSON, not in the state, not at the cloud; also where the cloud repeats it."""
    token = "geheim-0123456789"
    monkeypatch.setenv("FPGACLASS_OIDC_TOKEN", token)
    cohort.write_text(
        "name: c27\nprovider: infn\nhours: 1\nroster: r.csv\nseat: {size: m1.large}\n"
        "infn: {orchestrator: 'http://127.0.0.1', user_group: courses/fpga}\n"
    )
    with FakeOrchestrator() as orchestrator:
        settings = Infn(orchestrator=orchestrator.endpoint, user_group="courses/fpga")
        quick = Capabilities(calls_per_second=500.0, workers=1, poll_s=0.02)
        provider = InfnProvider(settings, capabilities=quick)
        monkeypatch.setattr("fpgaclass.cohort.verbs.connect", lambda _: provider)
        said = []
        orchestrator.control(expired=[token])
        for expired in ([token], []):
            orchestrator.control(expired=expired)
            for verb in ("plan", "apply", "status", "cost", "destroy"):
                yes = ["--yes"] if verb in ("apply", "destroy") else []
                for form in ([], ["--json"]):
                    ended = run("cohort", verb, *yes, *form, "--course", cohort)
                    said += [ended.out, ended.err]
            said.append(json.dumps(orchestrator.things()))
    assert any("the token has expired or is not taken" in text for text in said), "it was repeated to us"
    assert any('"ready"' in text for text in said), "and taken, the second time"
    assert not [text for text in said if token in text]
    kept = [path for path in (cohort.parent / "state").rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if token.encode() in path.read_bytes()]


LIST = "GET /deployments"
JSON = "application/json"


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        ("text/html", "<html>please log in</html>", "text/html, and no JSON"),
        (JSON, "[1, 2]", "no JSON"),
        (JSON, '{"content": [1]}', "a list of deployments without"),
        (JSON, '{"content": [{"status": "x"}]}', "a list of deployments without 'uuid'"),
    ],
)
def test_an_answer_that_is_none_is_an_error_of_one_line(kind: str, text: str, said: str) -> None:
    """The page of a login, or of a proxy, is what a wrong address gives."""
    with _odd_orchestrator({LIST: (200, kind, text)}, []) as provider, pytest.raises(ProviderError) as caught:
        provider.inventory("c27")
    assert said in str(caught.value)
    assert "Next: check cohort.infn.orchestrator" in str(caught.value)


def test_links_lead_nowhere_else_and_end() -> None:
    """The token goes with every call; and a list that always has a next page would never end."""
    page = {
        "content": [{"uuid": "a-1", "status": "CREATE_COMPLETE"}],
        "links": [{"rel": "next", "href": "@evil.example.org/deployments?page=1"}],
    }
    laughs = "a: &a [x, x]\nmetadata: {'fpgaclass:managed': '1', 'fpgaclass:cohort': [*a, *a]}\n"
    answers = {
        LIST: (200, JSON, json.dumps(page)),
        "GET /deployments/a-1/template": (200, "text/plain", laughs),
    }
    asked: list[str] = []
    with _odd_orchestrator(answers, asked) as provider:
        assert provider.inventory("c27") == ()
    assert [path for path in asked if "?" in path] == [
        "/deployments?createdBy=me&size=100",
        "/deployments?createdBy=me&size=100&page=1",
    ]


def test_an_address_in_an_answer_is_no_order() -> None:
    """The outputs of a template are whatever the Orchestrator says."""
    marker = Marker("c27", "seat/ada", 0, _end())
    page = {"content": [{"uuid": "a-1", "status": "CREATE_COMPLETE", "outputs": {"node_ip": ORDER}}]}
    template = json.dumps({"metadata": marker.tags()})
    answers = {LIST: (200, JSON, json.dumps(page)), "GET /deployments/a-1/template": (200, JSON, template)}
    with _odd_orchestrator(answers, []) as provider:
        (found,) = provider.inventory("c27")
    assert (found.id, found.address) == ("a-1", "")


def test_a_post_without_a_uuid_is_a_lost_answer() -> None:
    """It may have been done: the engine looks for it, and does not ask again blindly."""
    seat = Resource("seat/ada", "machine")
    order = Order(seat, seat.offers[0], Marker("c27", "seat/ada", 0, _end()))
    with (
        _odd_orchestrator({"POST /deployments": (201, JSON, "{}")}, []) as provider,
        pytest.raises(LostError, match="no uuid"),
    ):
        provider.create(order)
