"""A real Prefect server and process worker carry out what is deployed: on schedule, with a person's word, and through a cancellation."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from flows.config import load
from flows.demo.pairfile import LOCATION, SANDBOX_FILE
from flows.demo.tables import PEOPLE, engine_of, now
from flows.demo.world import open_sandbox
from reconcile.ledger import schema
from reconcile.ledger.ledger import Ledger
from reconcile.model import Entity
from tests.flows.acme import Acme

soak = pytest.mark.skipif(
    not os.environ.get("GHL_RECONCILE_SOAK"), reason="takes minutes: ./dev soak"
)

ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
PATIENCE = 150.0


class Prefect:
    """A server and a worker, reached over HTTP as any client of theirs does."""

    def __init__(self, folder: Path) -> None:
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/api"
        self.folder = folder
        self.env = os.environ | {
            "PREFECT_HOME": str(folder),
            "PREFECT_API_URL": self.url,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_LOGGING_LEVEL": "INFO",
        }
        self.env.pop("PYTHONPATH", None)
        server = self._start("server", "start", "--host", "127.0.0.1", "--port", str(port))
        self.processes = [server]
        self.client = httpx.Client(base_url=self.url, timeout=30)
        self.wait(self._healthy, "the server answers")

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        command = [str(Path(sys.executable).parent / "prefect"), *words]
        with (self.folder / f"{words[0]}.log").open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - Prefect itself
                command, env=self.env, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT
            )

    def _healthy(self) -> bool:
        try:
            return self.client.get("/health").status_code == 200
        except httpx.HTTPError:
            return False

    def work(self) -> None:
        self.processes.append(self._start("worker", "start", "--pool", "ghl-reconcile"))

    def deploy(self, pair: Path, *words: str) -> None:
        program = str(Path(sys.executable).parent / "ghl-reconcile")
        command = [program, "deploy", "--pair", str(pair), *words]
        options: dict[str, Any] = {"capture_output": True, "text": True, "check": False}
        done = subprocess.run(command, env=self.env, cwd=self.folder, **options)  # noqa: S603 - our own program
        assert done.returncode == 0, done.stderr

    def post(self, path: str, **body: Any) -> Any:
        return self.send("POST", path, body)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """One request; its database may be locked for a moment, which it answers with 503. What only reads is asked again."""
        reads = method == "GET" or path.endswith("/filter")

        def answered() -> httpx.Response | None:
            try:
                answer = self.client.request(method, path, json=body)
            except httpx.ReadTimeout:
                if reads:
                    return None
                raise
            return answer if answer.status_code != 503 else None

        answer = self.wait(answered, f"{path} is answered")
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def deployment(self, name: str) -> dict[str, Any]:
        return dict(self.send("GET", f"/deployments/name/{name}"))

    def begin(self, name: str) -> str:
        return str(self.post(f"/deployments/{self.deployment(name)['id']}/create_flow_run")["id"])

    def runs(self, name: str) -> list[dict[str, Any]]:
        chosen = {"id": {"any_": [self.deployment(name)["id"]]}}
        return list(
            self.post("/flow_runs/filter", deployments=chosen, sort="EXPECTED_START_TIME_ASC")
        )

    def state(self, run: str) -> str:
        return str(self.send("GET", f"/flow_runs/{run}")["state_type"])

    def artifacts(self, run: str) -> dict[str, dict[str, Any]]:
        chosen = {"flow_run_id": {"any_": [run]}}
        return {each["key"]: each for each in self.post("/artifacts/filter", artifacts=chosen)}

    def wait(self, reached: Callable[[], object], what: str) -> Any:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if value := reached():
                return value
            time.sleep(0.3)
        logs = "".join(
            path.read_text(errors="replace")[-3_000:] for path in self.folder.glob("*.log")
        )
        raise AssertionError(f"waited in vain until {what}\n{logs}")

    def ended(self, run: str) -> str:
        return str(
            self.wait(
                lambda: self.state(run) if self.state(run) in ENDED else "", f"run {run} ends"
            )
        )

    def stop(self) -> None:
        self.client.close()
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    folder = tmp_path_factory.mktemp("server")
    for name in ("flows", "connectors", "reconcile"):
        mine = folder / name / "__init__.py"
        mine.parent.mkdir()
        mine.write_text("raise ImportError('this is a package of the user')\n")
    made = Prefect(folder)
    yield made
    made.stop()


@pytest.fixture
def acme(tmp_path: Path) -> Acme:
    return Acme.made(tmp_path / "world", contacts=40)


def test_nightly_on_schedule(server: Prefect, acme: Acme) -> None:
    """The deployed nightly flow runs when its schedule says, on a worker, and leaves its artifacts with the API."""
    name = "nightly/nightly-acme"
    server.deploy(acme.pair, "--cron", "* * * * *")
    server.work()
    deployed = server.deployment(name)
    assert deployed["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    assert deployed["schedules"][0]["schedule"]["timezone"] == "UTC"
    automations = server.post("/automations/filter")
    assert {"delta-acme: told by GHL", "delta-acme: told by the app"} <= {
        each["name"] for each in automations
    }

    def completed() -> str:
        return next(
            (run["id"] for run in server.runs(name) if run["state_type"] == "COMPLETED"), ""
        )

    run = server.wait(completed, "a scheduled run is completed")
    server.send("PATCH", f"/deployments/{deployed['id']}", {"paused": True})
    (mine,) = [each for each in server.runs(name) if each["id"] == run]
    assert mine["auto_scheduled"] is True
    artifacts = server.artifacts(run)
    assert "acme" in artifacts["statement-acme"]["data"]
    assert acme.run().told.state == "settled"
    with open_sandbox(acme.folder / SANDBOX_FILE) as sandbox:
        emails = {row["email"] for row in sandbox.contacts(LOCATION)}
    engine = engine_of(acme.app_url)
    with engine.connect() as app:
        people = set(
            app.execute(sa.select(PEOPLE.c.email).where(PEOPLE.c.email.is_not(None))).scalars()
        )
    engine.dispose()
    assert (
        len({email.lower() for email in people} & {email.lower() for email in emails if email}) > 20
    )


@soak
def test_approval(server: Prefect, acme: Acme) -> None:
    """A risky plan waits, with the plan as an artifact, until a person says yes through the API; then just that is done."""
    acme.run()
    ledger = Ledger(load(acme.pair).ledger_url.get_secret_value(), "acme")
    app_key, ghl_key = next(
        tuple(row)
        for batch in ledger.links(Entity.CONTACT, ["app_key", "ghl_key"])
        for row in batch
    )
    ledger.close()
    engine = engine_of(acme.app_url)
    with engine.begin() as app:
        app.execute(
            sa.update(PEOPLE).where(PEOPLE.c.id == int(str(app_key))).values(deleted_at=now())
        )
    engine.dispose()
    server.deploy(acme.pair, "--approval", "--cron", "0 2 1 1 *")
    if len(server.processes) == 1:
        server.work()
    run = server.begin("nightly-approved/nightly-acme")
    server.wait(lambda: server.state(run) == "PAUSED", "the run waits for an answer")
    artifacts = server.artifacts(run)
    assert '"delete"' in artifacts["plan-acme"]["data"]
    assert "waits for an answer" in artifacts["question-acme"]["data"]
    with open_sandbox(acme.folder / SANDBOX_FILE) as sandbox:
        assert ghl_key in {row["id"] for row in sandbox.contacts(LOCATION)}
    server.post(
        f"/flow_runs/{run}/resume", run_input={"approve": True, "reason": "she asked for it"}
    )
    assert server.ended(run) == "COMPLETED"
    assert {"holds-acme", "failures-acme", "report-acme", "statement-acme"} <= server.artifacts(
        run
    ).keys()
    with open_sandbox(acme.folder / SANDBOX_FILE) as sandbox:
        assert ghl_key not in {row["id"] for row in sandbox.contacts(LOCATION)}


@soak
def test_cancelled_in_mid_apply(server: Prefect, acme: Acme, tmp_path: Path) -> None:
    """A run cancelled while it writes leaves a state from which the next run ends as if nothing had happened."""
    twin = tmp_path / "twin"
    shutil.copytree(acme.folder, twin)
    acme.run()
    wanted = acme.state()
    acme.replaced_by(twin)
    settings = acme.folder / SANDBOX_FILE.replace(".db", ".toml")
    settings.write_text("latency_seconds = 0.3\n" + settings.read_text(), encoding="utf-8")
    server.deploy(acme.pair, "--cron", "0 2 1 1 *")
    if len(server.processes) == 1:
        server.work()
    run = server.begin("nightly/nightly-acme")
    ledger = Ledger(load(acme.pair).ledger_url.get_secret_value(), "acme")

    def written() -> bool:
        with ledger.engine.connect() as connection:
            ended = (
                sa.select(sa.func.count())
                .select_from(schema.journal)
                .where(schema.journal.c.status == "done")
            )
            return connection.execute(ended).scalar_one() >= 2

    server.wait(written, "something is written")
    server.post(f"/flow_runs/{run}/set_state", state={"type": "CANCELLING"}, force=False)
    assert server.ended(run) == "CANCELLED"
    ledger.close()
    settings.write_text(
        settings.read_text().replace("latency_seconds = 0.3\n", ""), encoding="utf-8"
    )
    server.wait(lambda: acme.run().told.state == "settled", "the next run settles")
    assert acme.state() == wanted


@soak
def test_an_event_starts_a_delta(server: Prefect, acme: Acme) -> None:
    """An event that names a contact starts a delta of that contact."""
    acme.run()
    server.deploy(acme.pair, "--cron", "0 2 1 1 *")
    if len(server.processes) == 1:
        server.work()
    code = f"from flows.orchestration.events import notify; notify({LOCATION!r}, ['someone'])"
    subprocess.run([sys.executable, "-c", code], env=server.env, cwd=server.folder, check=True)  # noqa: S603 - as above
    (run,) = server.wait(lambda: server.runs("delta/delta-acme"), "the automation starts a delta")
    assert run["parameters"]["ghl"] == ["someone"]
    assert server.ended(run["id"]) == "COMPLETED"
