"""webhooks, deploy and ledger: the commands for whoever runs this unattended."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from flows.commands.options import Json, PairFile, Port, ends_when_told
from flows.commands.printed import print_json
from flows.config import load
from flows.terminal import Console
from reconcile.errors import ConfigError, Problem

Pairs = Annotated[list[Path], Parameter(name=["--pair", "-p"], help="a pair file; may be repeated")]
KeptIn = Annotated[str, Parameter(help='the ledger: "env:NAME", or its URL')]


def webhooks(
    *,
    pair: Pairs,
    host: str = "127.0.0.1",
    port: Port = 8767,
    key: Annotated[
        str | None, Parameter(help="the sender's Ed25519 public key; default: GHL's own")
    ] = None,
    emit: Annotated[
        bool, Parameter(negative="", help="tell Prefect too, whose automations may start deltas")
    ] = False,
) -> int:
    """Take GHL's webhooks until interrupted, and note which contacts the next run is to look at.

    Put a server with TLS in front of it: GHL sends to https alone.
    """
    import uvicorn

    from flows.triggers.webhooks import PUBLIC_KEY, SLOWEST, Intake, Notify, make_app
    from reconcile.ledger.ledger import Ledger

    notify: Notify | None = None
    if emit:
        from flows.orchestration.events import notify as tell_prefect

        notify = tell_prefect
    with ExitStack() as stack:
        ledgers = {}
        for path in pair:
            loaded = load(path)
            if loaded.ghl.location in ledgers:
                what = f"two pairs name location {loaded.ghl.location}"
                raise ConfigError(
                    [Problem(path.name, what, "name one of them: a webhook can hint at one ledger")]
                )
            ledger = Ledger(loaded.ledger_url.get_secret_value(), loaded.name)
            stack.callback(ledger.close)
            ledgers[loaded.ghl.location] = ledger
        app = make_app(Intake(ledgers, key=key or PUBLIC_KEY, notify=notify))
        print(f"http://{host}:{port}/", flush=True)
        ends_when_told()
        # Slow connections are neither waited for at the end nor let grow without a bound.
        uvicorn.run(
            app,
            host=host,
            port=port,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=round(SLOWEST) + 1,
            limit_concurrency=500,
        )
    return 0


def deploy(
    *,
    pair: Pairs,
    pool: Annotated[
        str, Parameter(help="the work pool; made, as a process pool, where there is none")
    ] = "ghl-reconcile",
    cron: Annotated[str, Parameter(help="when the nightly run starts")] = "0 2 * * *",
    timezone: Annotated[str | None, Parameter(help="of the schedule; default: the pair's")] = None,
    approval: Annotated[
        bool, Parameter(negative="", help="pause risky plans for a person's answer")
    ] = False,
    minutes: Annotated[int | None, Parameter(help="also a delta every so many minutes")] = None,
    file: Annotated[
        Path | None, Parameter(help="write a prefect.yaml there instead of deploying")
    ] = None,
    json: Json = False,
) -> int:
    """Make Prefect deployments of each pair's jobs.

    Nightly on a schedule, delta, audit and migrate, one run a pair at a time.
    """
    from flows.orchestration.deploy import apply, check
    from flows.orchestration.schedule import Wish, deployments, yaml_text

    wish = Wish(pool, cron, timezone, approval, minutes)
    planned = [one for path in pair for one in deployments(load(path), wish)]
    check(planned)
    if file is not None:
        file.write_text(yaml_text(planned, wish), encoding="utf-8")
        names = [one.full_name for one in planned]
    else:
        names = apply(planned, wish)
    if json:
        print_json(names)
    else:
        print("\n".join(names))
    return 0


ledger = App(
    name="ledger",
    help=(
        "Back up and migrate the ledger, which holds everything that runs remember; "
        "keep a fleet's pair files in it."
    ),
)


@ledger.command
def backup(file: Path, /, *, pair: PairFile) -> int:
    """Copy the ledger into a new file, whole and at one moment, while runs may go on."""
    from flows.state.backups import back_up

    print(back_up(load(pair), file))
    return 0


@ledger.command
def restore(file: Path, /, *, pair: PairFile) -> int:
    """Put a backup of an SQLite ledger back; what was there before is kept in a file beside it.

    The next run says whether the pair's store knows a later run than that backup.
    """
    from flows.state.backups import restore as put_back

    aside = put_back(load(pair), file)
    said = "restored"
    if aside is not None:
        said += f"; the former ledger is in {aside}"
    print(said)
    return 0


@ledger.command
def migrate(*, pair: PairFile) -> int:
    """Bring the ledger's tables to this version.

    Every command does so by itself when it opens the ledger.
    """
    from flows.state.backups import revision

    before, after = revision(load(pair))
    if before == after:
        print(f"{after}: nothing to do")
    else:
        print(f"{before or 'new'} -> {after}")
    return 0


@ledger.command
def add(*, pair: Pairs) -> int:
    """Keep pair files in the ledger that they name, in place of earlier ones, for `fleet --ledger`.

    Secrets stay references.
    """
    from flows.state.pairs import keep

    for path in pair:
        print(keep(path).name)
    return 0


@ledger.command
def remove(pair: str, /, *, ledger: KeptIn) -> int:
    """Take a pair's file out of the ledger; what its runs left there stays."""
    from flows.state.pairs import drop, url_of

    drop(url_of(ledger), pair)
    return 0


@ledger.command
def pairs(*, ledger: KeptIn, json: Json = False) -> int:
    """List the pair files that the ledger keeps."""
    from flows.state.pairs import pair_files, url_of

    rows = [{"pair": name, "kept_at": at} for name, at in pair_files(url_of(ledger))]
    if json:
        print_json(rows)
    else:
        print("\n".join(f"{row['kept_at']}  {row['pair']}" for row in rows) or "none")
    return 0


def notify(*, pair: PairFile) -> int:
    """Send a test notice to each receiver of a pair's alerts, and say which took it.

    Exit code 2 where one did not.
    """
    from flows.config import load
    from flows.outcome.notify import Notice, send

    loaded = load(pair)
    urls = [each.get_secret_value() for each in loaded.alerts.notify]
    console = Console()
    if not urls:
        console.print('nobody is told: write notify = ["env:NAME"] under \\[alerts]')
        return 0
    text = ("This is a test: the alerts of this pair come here.",)
    dead = send(urls, Notice(f"{loaded.name}: a test notice", text, "info"))
    for place in range(1, len(urls) + 1):  # by their places: a URL is a secret
        said = "took it"
        if place in dead:
            said = "did not take it: see its URL, and whether it can be reached from here"
        console.print(f"receiver {place} {said}", highlight=False)
    return 2 if dead else 0
