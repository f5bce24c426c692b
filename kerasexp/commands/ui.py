"""`ui`: all runs in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kerasexp.commands.options import Host, OpenBrowser, Token, with_homes


def ui(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="[RUNS_FOLDER]", help="The folder of the runs; all below it count.", callback=with_homes
        ),
    ] = Path("runs"),
    host: Host = "127.0.0.1",
    token: Token = False,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 8686,
    open_browser: OpenBrowser = False,
):
    """Show all runs, studies and searches in a browser: sort, filter, tag, archive, compare, follow; start new ones from a form.

    It needs the extra `serve`. Ctrl-C ends it, and trainings go on. No run is ever deleted.

    Example: python -m kerasexp ui runs
    """
    from kerasexp.environment import install_command, missing_of
    from kerasexp.errors import UserError

    if missing := missing_of("serve"):
        raise UserError(f"`ui` needs {', '.join(missing)}: {install_command('serve')}")
    from kerasexp.browser.server import serve
    from kerasexp.web.access import Access

    serve(folder, Access.of(host, token), port, open_browser)
