"""The commands that set the house up and look after it: setup, doctor, support-bundle, config."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from icryptotrader.options import ConfigOption, HomeOption, JsonOption, home_of
from shared.config import ROOT, ConfigError, Loaded, load_all
from shared.config_layers import SECRET_KEYS, read_layer, secret_in

app = typer.Typer()
config_app = typer.Typer(help="Look at the configuration.", no_args_is_help=True)
app.add_typer(config_app, name="config")


@app.command()
def setup(
    context: typer.Context,
    answers: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Answers instead of questions, as user.toml has them."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Where to. Default: config/user.toml; with --home, user.toml of the home.",
        ),
    ] = None,
    language: Annotated[Literal["en", "de"], typer.Option(help="en or de.")] = "en",
    home: HomeOption = None,
) -> None:
    """Ask what must be known, check each answer, and write config/user.toml (mode 0600).

    In live mode it asks for the key, looks at its rights and the account, and offers to read the
    past in. It may be run again: what stands in the file is offered, and its comments stay.
    """
    from icryptotrader.wizard.asking import Answers, ask_person
    from icryptotrader.wizard.flow import setup as run

    place = home_of(context, home)
    said = home or context.find_root().obj
    target = output or (place.path if said else ROOT / "config") / "user.toml"
    try:
        if answers is not None:
            layer = read_layer(answers)
            if layer.others_may_read and holds_secrets(layer.values):
                raise ValueError(f"others may read the secrets in it; chmod 600 {answers}")
            done = run(target, Answers(layer.values), language, typer.echo, place)
        elif sys.stdin.isatty():
            done = run(target, ask_person, language, typer.echo, place)
        else:
            typer.echo("there is nobody to ask: give --answers FILE", err=True)
            raise typer.Exit(2)
    except (OSError, ValueError) as error:
        typer.echo(f"{answers or target}: {error}", err=True)
        raise typer.Exit(1) from None
    if not done:
        typer.echo("nothing was written", err=True)
    raise typer.Exit(0 if done else 1)


@app.command()
def doctor(
    context: typer.Context,
    home: HomeOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Check machine, configuration, house and account; each finding with its remedy.

    Exit code 0 where nothing failed, else 1. It changes nothing and may run at any time.
    """
    from icryptotrader.doctor.command import diagnose, show

    raise typer.Exit(show(diagnose(home_of(context, home), config), json=json, tell=typer.echo))


@app.command("support-bundle")
def support_bundle(
    context: typer.Context,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Where to.")] = (
        Path("icryptotrader-support.zip")
    ),
    home: HomeOption = None,
) -> None:
    """Logs, settings and the doctor's findings in one archive, secrets left out, for who helps."""
    from icryptotrader.bundle import write_bundle

    try:
        names = write_bundle(home_of(context, home), output)
    except FileExistsError:
        typer.echo(f"{output} exists already: choose another name with -o", err=True)
        raise typer.Exit(2) from None
    except OSError as error:
        typer.echo(f"{output}: {error.strerror or error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{output}: {len(names)} files. Look into it before you send it.")


@config_app.command()
def check(context: typer.Context, home: HomeOption = None, config: ConfigOption = None) -> None:
    """Say every fault of the configuration at once, each with its place and remedy.

    The files that it names are looked into as well.
    """
    loaded = load_all(home_of(context, home), config)
    if faults := _faults_of_files(loaded):
        raise ConfigError(faults)
    for note in loaded.notes:
        typer.echo(f"note: {note}")
    typer.echo("The configuration is in order.")


def _faults_of_files(loaded: Loaded) -> list[str]:
    """What is wrong with the files that settings name, each with the place of the setting."""
    from icryptotrader.startup import find_market
    from shared.caps import caps_path, read_caps
    from shared.secret import read_key

    config = loaded.config
    market = find_market(config.demo.market, config.pair, config.mode).faults
    found = [("demo.market", fault.removeprefix("market: ")) for fault in market]
    try:
        read_caps(caps_path(config))
    except ConfigError as error:
        found += [("limits.hard_caps_file", fault) for fault in error.faults]
    if config.mode == "live":
        for name in ("key_file", "cancel_key_file"):
            if path := getattr(config.kraken, name):
                try:
                    read_key(Path(path).expanduser())
                except ConfigError as error:
                    found += [(f"kraken.{name}", fault) for fault in error.faults]
    return [f"{loaded.origins[key]}: {key}: {fault}" for key, fault in found]


@config_app.command("show")
def show_config(
    context: typer.Context,
    home: HomeOption = None,
    config: ConfigOption = None,
    origin: Annotated[
        bool, typer.Option("--origin", help="One setting to a line, with the file that sets it.")
    ] = False,
) -> None:
    """The settings in force, all layers merged, as JSON; secrets are never shown."""
    from icryptotrader.config_show import as_json, with_origins

    loaded = load_all(home_of(context, home), config)
    typer.echo(with_origins(loaded) if origin else as_json(loaded.config))


def holds_secrets(values: dict[str, Any]) -> bool:
    """Whether an answers file says what nobody else may know."""
    return any(secret_in(values, key) for key in (*SECRET_KEYS, "key.api_secret"))
