"""SWF files as odd as they come, and what a plain simulator makes of each row. Written without the readers."""

from __future__ import annotations

import random

from stargate.rehearsal.traces import Job

COMMENTS = ("; MaxProcs: 7", ";", "; 1 2 3 4 5 6 7 8 9", "", "   ", ";Note: a comment between rows")
STATUSES = (-1, 0, 1, 2, 3, 4, 5)


def written(draw: random.Random, chips: int) -> str:
    """A file: rows in any order, numbers in any form that a plain simulator reads."""
    lines = ["; Version: 2.2", "; UnixStartTime: 843480031"]
    count = draw.randint(1, 70)
    numbers = draw.sample(range(-3, 4 * count), count)
    for number in numbers:
        if draw.random() < 0.1:
            lines.append(draw.choice(COMMENTS))
        lines.append(_row(draw, number, chips))
    return draw.choice(["\n", "\r\n"]).join(lines) + draw.choice(["", "\n"])


def _row(draw: random.Random, number: int, chips: int) -> str:
    run = draw.choice([-1, 0, 0, 1, 2, 5, 10, 10, 30, draw.randint(0, 80)])
    size = draw.choice([-1, 0, 1, 1, 2, 3, chips // 2 + 1, chips, chips + 1, 10 * chips])
    wanted = draw.choice([-1, -1, -1, -2, 0, 1, 2, size, chips])
    asked = draw.choice([-1, 0, 1, run, run, run + 3, max(1, run // 2), 10**11])
    cells = [
        _whole(draw, number),
        str(draw.choice([-1, 0, draw.randint(0, 20), draw.randint(0, 300)])),
        str(draw.choice([-1, 0, 17])),
        _number(draw, run),
        _whole(draw, size),
        _number(draw, draw.choice([-1, 3])),
        "-1",
        str(wanted),
        _number(draw, asked),
    ]
    rest = ["-1", str(draw.choice(STATUSES)), "3", "-1", "-1", "2", "-1", "-1", "-1"]
    blank = draw.choice([" ", " ", "\t", "   "])
    return draw.choice(["", "", "  "]) + blank.join(cells + rest[: draw.choice([9, 9, 9, 9, 0, 4])])


def _whole(draw: random.Random, number: int) -> str:
    return f"{number:05d}" if number >= 0 and draw.random() < 0.1 else str(number)


def _number(draw: random.Random, number: int) -> str:
    form = draw.choice(["{}", "{}", "{}", "{}.0", "{}.9"])
    return form.format(number)


def jobs(text: str, chips: int) -> list[Job]:
    """What a plain simulator runs: of each row five numbers, and no question asked."""
    found = []
    for line in text.splitlines():
        if not line.strip() or line.startswith(";"):
            continue
        cells = line.split()
        run, asked, wanted = int(float(cells[3])), int(float(cells[8])), int(cells[7])
        size = int(cells[4]) if wanted == -1 else wanted
        if 0 < size <= chips and run >= 0:
            found.append(Job(str(int(cells[0])), int(cells[1]), run, size, asked if asked > 0 else run))
    return found
