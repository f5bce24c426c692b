"""`serve`: predictions over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kerasexp.commands.options import (
    A_CHECKPOINT,
    Host,
    OpenBrowser,
    RejectThreshold,
    Token,
    TrustCode,
    checkpoint_option,
    complete_checkpoint,
)


def _named_option(context: typer.Context, value: list[str]) -> list[str]:
    """Return the arguments with home folders in place of `~`, as `checkpoint_option` does for one path."""
    from kerasexp.serving.named_checkpoints import split_name

    named = [split_name(text) for text in value]
    homes = [(name, checkpoint_option(context, Path(path))) for name, path in named]
    return [f"{name}={path}" if name else str(path) for name, path in homes]


def serve(
    checkpoints: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME=]CHECKPOINT",
            help=f"{A_CHECKPOINT}; each is served under its own name, or the one given before `=`.",
            callback=_named_option,
            autocompletion=complete_checkpoint,
        ),
    ],
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 8000,
    token: Token = False,
    threshold: RejectThreshold = None,
    max_mib: Annotated[int, typer.Option(min=1, max=1024, help="Most MiB of a request.")] = 32,
    max_images: Annotated[int, typer.Option(min=1, max=4096, help="Most images of a request.")] = 64,
    max_megapixels: Annotated[int, typer.Option(min=1, max=100, help="Most megapixels of an image.")] = 50,
    open_browser: OpenBrowser = False,
    trust_code: TrustCode = False,
):
    """Serve checkpoints over HTTP: POST /predict answers as `predict` does, and / is a page to drop, photograph or draw an image.

    It needs the extra `serve`. Ctrl-C or SIGTERM ends it after the requests in flight are answered. /docs lists all addresses.

    Example: python -m kerasexp serve part2_pretrained --open

    Example: python -m kerasexp serve digits=runs/digits/2 scans=part1_scans --host 0.0.0.0
    """
    from kerasexp.environment import install_command, missing_of
    from kerasexp.errors import UserError

    if missing := missing_of("serve"):
        raise UserError(f"`serve` needs {', '.join(missing)}: {install_command('serve')}")
    from kerasexp.saving.checkpoint import find_checkpoint
    from kerasexp.saving.checkpoint_code import approve_checkpoint
    from kerasexp.serving.named_checkpoints import named_checkpoints
    from kerasexp.serving.request_limits import RequestLimits
    from kerasexp.web.access import Access
    from kerasexp.web.listener import listen

    access, named = Access.of(host, token), named_checkpoints(checkpoints)
    for checkpoint in named:
        approve_checkpoint(find_checkpoint(checkpoint.path), trust_code)
    limits = RequestLimits.of(max_mib, max_images, max_megapixels)
    with listen(host, port) as listener:
        from kerasexp.serving.serve_checkpoints import serve_checkpoints

        serve_checkpoints(named, access, listener, limits, threshold, open_browser)
