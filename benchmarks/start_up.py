"""How soon the commands answer, beside the import of TensorFlow; `first_answer.py` has `predict` and `evaluate`.

    python benchmarks/start_up.py [--pairs 5] [--write]

Each go is a process of its own.
"""

from __future__ import annotations

import sys

from timing import ours, parser, report_row, seconds, take_turns

COMMAND = "python benchmarks/start_up.py"


def main() -> None:
    given = parser(__doc__).parse_args()
    for words in (["--help"], ["show", "experiments/part2_random.yaml"], ["check", "experiments/part2_random.yaml"]):
        ratio = take_turns(lambda words=words: ours(*words), tensorflow, given.pairs, name="import tensorflow")
        # `check` builds the model, which needs TensorFlow.
        aim = 2 if words[0] == "check" else 0.2
        report_row(
            f"`{' '.join(words[:1])}` / `import tensorflow`",
            f"{ratio}: {ratio.ours:.2f} s, the import {ratio.theirs:.2f} s",
            ratio.median <= aim,
            f"at most {aim}",
            COMMAND,
            given.write,
        )


def tensorflow() -> float:
    """Return the seconds of a process that imports TensorFlow and Keras, and does nothing with them."""
    return seconds([sys.executable, "-c", "import tensorflow, keras"])


if __name__ == "__main__":
    main()
