"""The README's test command in a fresh clone and an empty environment."""

from __future__ import annotations

import re
import sys
import time

from verdict import Verdict, fresh_clone, readme_command, shell


def main() -> int:
    """Run it and count what ran."""
    verdict = Verdict()
    with fresh_clone() as clone:
        start = time.monotonic()
        done = shell(readme_command("pytest"), clone, capture=True)
        took_s = time.monotonic() - start
    print(done.stdout[-3000:])
    words = r"(\d+) (passed|failed|error|skipped)"
    counts = {word: int(number) for number, word in re.findall(words, done.stdout[-500:])}
    passed = done.returncode == 0 and counts.get("passed", 0) > 0
    figure = f"exit {done.returncode}, {counts}, {took_s:.0f} s with its install"
    verdict.check("test command", figure, "exit 0, none failed", passed=passed)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())
