"""What a user notes of a run, a study or a search: tags, a note, and whether it is archived. It lies in `tags.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from kerasexp.errors import Problem, UserError
from kerasexp.saving.json_values import text_of
from kerasexp.saving.saved_files import RunFiles
from kerasexp.storage import write_json

LONGEST_TAG, LONGEST_NOTE, MOST_TAGS = 50, 2000, 30


@dataclass(frozen=True)
class RunTags:
    """Tags, note and archive of a run, a study or a search.

    Attributes:
        tags: words, each once.
        note: a text, maybe of several lines.
        archived: whether lists leave it out; its files stay where they are.
    """

    tags: tuple[str, ...] = ()
    note: str = ""
    archived: bool = False

    def values(self) -> dict[str, str | None]:
        """Return what the list of runs has of them; None for nothing."""
        return {
            "tags": ", ".join(self.tags) or None,
            "note": self.note or None,
            "archived": "true" if self.archived else None,
        }


def read_tags(place: Path) -> RunTags:
    """Return the tags of a directory; none if it has no such file, or a damaged one."""
    try:
        content = json.loads(RunFiles(place).tags.read_text(encoding="utf-8"))
        return RunTags(
            tuple(text_of(tag) for tag in content.get("tags", [])),
            text_of(content.get("note")),
            content.get("archived") is True,
        )
    except (OSError, ValueError, AttributeError, TypeError):
        return RunTags()


def write_tags(place: Path, tags: RunTags) -> None:
    """Write the tags of a directory.

    Raises:
        UserError: a tag or the note is too long, or a tag has a comma or both quotation marks, which no filter could hold.
        RunError: the place cannot be written.
    """
    for tag in tags.tags:
        if not tag.strip() or "," in tag or "\n" in tag or {"'", '"'} <= set(tag) or len(tag) > LONGEST_TAG:
            allowed = f"1 to {LONGEST_TAG} characters, no comma or line end, and not both ' and \""
            message = f"got {tag[:80]!r}; a tag has {allowed}"
            raise UserError(Problem(message, str(place), "tags"))
    if len(tags.tags) > MOST_TAGS:
        raise UserError(Problem(f"got {len(tags.tags)} tags; at most {MOST_TAGS} are allowed", str(place), "tags"))
    if len(tags.note) > LONGEST_NOTE:
        message = f"has {len(tags.note):,} characters; at most {LONGEST_NOTE:,} are allowed"
        raise UserError(Problem(message, str(place), "note"))
    write_json(RunFiles(place).tags, {**asdict(tags), "tags": list(dict.fromkeys(tag.strip() for tag in tags.tags))})
